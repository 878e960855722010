import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { chooseConfigFile } from '../../../agent/device-config/choose.ts'
import { CulvertError } from '../../../lib/errors.ts'

/** A name that ends with a slash is a directory. */
const choose = (names: readonly string[], version = 142) =>
  chooseConfigFile(
    '/c',
    names.map((name) => ({ name: name.replace(/\/$/, ''), isDirectory: () => name.endsWith('/') })),
    version,
  )

describe('chooseConfigFile', () => {
  it.each<[string, string[], number]>([
    ['the only one', ['cap-95.hujson'], 95],
    ['the highest', ['cap-95.hujson', 'cap-107.hujson', 'cap-106.hujson'], 107],
    ['the highest by number', ['cap-9.hujson', 'cap-10.hujson'], 10],
    ['one with the version of tailscaled', ['cap-142.hujson', 'cap-141.hujson'], 142],
    ['none above tailscaled', ['cap-143.hujson', 'cap-95.hujson', `cap-${'9'.repeat(400)}.hujson`], 95],
    ['zero', ['cap-0.hujson'], 0],
    ['no directory', ['cap-107.hujson/', 'cap-95.hujson', '..2026_01/', '..data'], 95],
    ['no name in another spelling', ['cap-0107.hujson', 'cap-107.hujson.bak', 'cap-106.json', 'cap-95.hujson'], 95],
    [
      'no name with a sign or a fraction',
      ['cap-+99.hujson', 'cap--1.hujson', 'cap-98.5.hujson', 'cap-1e2.hujson', 'cap-1.hujson'],
      1,
    ],
    ['no file with the old name', ['tailscaled', 'cap-3.hujson'], 3],
  ])('takes %s', (_name, names, cap) => {
    expect(choose(names)).toEqual({ path: `/c/cap-${cap}.hujson`, cap })
  })

  it.each<[string, string[], RegExp]>([
    ['an empty directory', [], /in \/c: it has no files$/],
    ['only directories', ['cap-1.hujson/'], /it has no files$/],
    ['files that are too new', ['cap-143.hujson', 'cap-200.hujson'], /it has cap-143\.hujson, cap-200\.hujson$/],
    ['backups', ['cap-95.hujson.bak', 'cap-095.hujson'], /it has cap-95\.hujson\.bak, cap-095\.hujson$/],
    ['many others', Array.from({ length: 12 }, (_, index) => `f${index}`), /it has f0, .*f9, …$/],
  ])('refuses %s, and says what is needed', (_name, names, message) => {
    expect(() => choose(names)).toThrow(
      expect.objectContaining({
        code: 'settings',
        message: expect.stringMatching(message),
        remedy: expect.stringMatching(/cap-N\.hujson.*at most 142/),
      }) as Error,
    )
  })

  it('takes the highest usable one, in any order and among anything else', () => {
    const capFile = fc.nat(300).map((cap) => ({ cap, name: `cap-${cap}.hujson` }))
    const other = fc.string().map((text) => ({ cap: -1, name: `x${text}` }))
    fc.assert(
      fc.property(fc.array(fc.oneof(capFile, other)), fc.nat(300), (files, version) => {
        const names = files.map(({ name }) => name)
        const best = Math.max(-1, ...files.map(({ cap }) => cap).filter((cap) => cap <= version))
        if (best >= 0) expect(choose(names, version)).toEqual({ path: `/c/cap-${best}.hujson`, cap: best })
        else expect(() => choose(names, version)).toThrow(CulvertError)
      }),
    )
  })
})
