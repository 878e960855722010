import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fullNames, parseResolvConf, podResolvConf } from '../../../agent/targets/resolv-conf.ts'

const inPod =
  'search default.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n'

describe('servers', () => {
  it.each<[string, string, string[]]>([
    ['a Pod’s', inPod, ['10.96.0.10']],
    [
      'several',
      ' nameserver\t10.0.0.1 # first\r\nnameserver fd00::A\nnameserver 10.0.0.2',
      ['10.0.0.1', 'fd00::a', '10.0.0.2'],
    ],
    ['none', '# nameserver 10.0.0.1\n;nameserver 10.0.0.2\nnameserver\nnameservers 10.0.0.3\nnameserver x\n', []],
    ['one with a zone', 'nameserver fe80::1%eth0\n', []],
  ])('%s', (_name, text, expected) => {
    expect(parseResolvConf(text).servers.map((address) => address.text)).toEqual(expected)
  })
})

describe('full names', () => {
  it.each<[string, string, string, string[]]>([
    [
      'a short one in a Pod',
      inPod,
      'db.prod',
      ['db.prod.default.svc.cluster.local.', 'db.prod.svc.cluster.local.', 'db.prod.cluster.local.', 'db.prod.'],
    ],
    ['one with a last dot', inPod, 'db.prod.', ['db.prod.']],
    ['one with as many dots', 'search a.test\noptions ndots:1', 'db.prod', ['db.prod.', 'db.prod.a.test.']],
    ['the default of ndots', 'search a.test.', 'db', ['db.a.test.', 'db.']],
    ['no search list', '', 'db', ['db.']],
    ['the last search list', 'search a\nsearch b\n', 'db', ['db.b.', 'db.']],
    ['a domain', 'domain a\n', 'db', ['db.a.', 'db.']],
    ['a search list of dots', 'search . ..\n', 'db', ['db...', 'db.']],
    ['ndots beyond measure', 'search a\noptions timeout:1 ndots:99 ndots:x', 'b.c', ['b.c.a.', 'b.c.']],
    ['one that would be too long', `search ${'a.'.repeat(125)}a`, 'db', ['db.']],
  ])('%s', (_name, text, name, expected) => {
    expect(fullNames(name, parseResolvConf(text))).toEqual(expected)
  })
})

describe('once tailscaled has taken over DNS', () => {
  let root: string
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'culvert-'))
    mkdirSync(join(root, 'etc'))
  })
  afterEach(() => rmSync(root, { recursive: true }))

  const write = (name: string, text: string): void => writeFileSync(join(root, 'etc', name), text)
  const servers = async (before?: string) => {
    const conf = await podResolvConf(root, before === undefined ? undefined : parseResolvConf(before))
    return conf.servers.map(({ text }) => text)
  }
  const magic = 'nameserver 100.100.100.100\nsearch lab.ts.net\n'
  const copy = 'resolv.pre-tailscale-backup.conf'

  it('asks those of before', async () => {
    write('resolv.conf', magic)
    write(copy, 'nameserver 10.0.0.3\n')
    expect(await servers(inPod)).toEqual(['10.96.0.10'])
  })

  it('asks those of tailscaled’s copy where none are known of before', async () => {
    write('resolv.conf', magic)
    write(copy, 'nameserver 10.0.0.3\n')
    expect(await servers()).toEqual(['10.0.0.3'])
    expect(await servers(magic)).toEqual(['10.0.0.3'])
  })

  it('asks tailscaled where no other is known', async () => {
    write('resolv.conf', magic)
    expect(await servers()).toEqual(['100.100.100.100'])
    write(copy, magic)
    expect(await servers()).toEqual(['100.100.100.100'])
  })

  it('follows the file while it is the Pod’s', async () => {
    write('resolv.conf', 'nameserver 10.0.0.4\n')
    expect(await servers(inPod)).toEqual(['10.0.0.4'])
  })

  it('has none where there is no file', async () => {
    expect(await servers()).toEqual([])
  })
})
