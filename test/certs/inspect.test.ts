import * as fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { inspectSecret, storedIn, verdictProblem } from '../../certs/inspect.ts'
import { makePair, type Pair } from './make.ts'

let [own, other, wildcard, nameless]: Pair[] = []
beforeAll(async () => {
  ;[own, other, wildcard, nameless] = await Promise.all([
    makePair(['web.lab.ts.net']),
    makePair(['db.lab.ts.net']),
    makePair(['*.lab.ts.net']),
    makePair([]),
  ])
})
const now = Date.now()
const verdict = (certificate: string | undefined, key: string | undefined, at = now) =>
  inspectSecret(
    'web.lab.ts.net',
    {
      certificate: certificate === undefined ? undefined : Buffer.from(certificate),
      key: key === undefined ? undefined : Buffer.from(key),
    },
    at,
  )

describe('a TLS Secret', () => {
  it('is good when it has a certificate for the name, and the key for it', () => {
    const found = verdict(own!.certificate, own!.key)
    expect(found).toMatchObject({ kind: 'good', certificate: { to: expect.any(Date) as Date } })
    expect(storedIn(found)?.fingerprint).toMatch(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/)
    expect(verdict(wildcard!.certificate, wildcard!.key).kind).toBe('good')
    // Leaf and chain.
    expect(verdict(own!.certificate + other!.certificate, own!.key).kind).toBe('good')
  })

  it.each([
    ['', ''],
    [undefined, undefined],
  ])('is empty when it is as its owner creates it', (certificate, key) => {
    expect(verdict(certificate, key)).toEqual({ kind: 'empty' })
  })

  it.each<[string, () => [string | undefined, string | undefined], RegExp]>([
    ['lacks its key', () => [own!.certificate, ''], /it lacks tls\.key/],
    ['lacks its certificate', () => [undefined, own!.key], /it lacks tls\.crt/],
    ['has the certificate of another name', () => [other!.certificate, other!.key], /is for db\.lab\.ts\.net$/],
    ['has a certificate of no name', () => [nameless!.certificate, nameless!.key], /is for no name$/],
    ['has the key of another certificate', () => [own!.certificate, other!.key], /key is not that of its certificate/],
    ['has something else for a key', () => [own!.certificate, 'hunter2'], /tls\.key cannot be read/],
    ['has something else for a certificate', () => ['hunter2', own!.key], /there is no certificate in it/],
    ['has half a certificate', () => [own!.certificate.slice(0, 200), own!.key], /there is no certificate in it/],
    [
      'has a damaged certificate',
      () => [own!.certificate.replace(/\n.{20}/, '\nAAAA'), own!.key],
      /certificate cannot be read/,
    ],
    ['has key and certificate swapped', () => [own!.key, own!.certificate], /there is no certificate in it/],
  ])('is unfit when it %s', (_name, pair, problem) => {
    const found = verdict(...pair())
    expect(found).toEqual({ kind: 'unfit', problem: expect.stringMatching(problem) as string })
    expect(JSON.stringify(found)).not.toMatch(/hunter2|PRIVATE/)
    expect(storedIn(found)).toBeUndefined()
  })

  it('survives any content', () => {
    const part = fc.oneof(
      fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('latin1')),
      fc.constantFrom(own!.certificate, own!.key, other!.certificate),
      fc
        .tuple(fc.constantFrom(own!.certificate, own!.key), fc.nat(900), fc.string({ maxLength: 3 }))
        .map(([text, at, inserted]) => text.slice(0, at) + inserted + text.slice(at + 1)),
    )
    fc.assert(
      fc.property(part, part, (certificate, key) => {
        const found = verdict(certificate, key)
        if (found.kind === 'unfit') expect(found.problem).not.toMatch(/-----|PRIVATE/)
      }),
    )
  })

  it('is good, due or late by its age', () => {
    // Two days: due after 32 to 34 hours, and late another 1.6 hours after.
    expect(verdict(own!.certificate, own!.key, now + 31 * 3_600_000).kind).toBe('good')
    expect(verdict(own!.certificate, own!.key, now + 37 * 3_600_000).kind).toBe('due')
    expect(verdict(own!.certificate, own!.key, now + 49 * 3_600_000).kind).toBe('expired')
  })

  it('has a problem text for each of these, which counts days', () => {
    const at = (hours: number) => {
      const time = now + hours * 3_600_000
      return verdictProblem('web.lab.ts.net', verdict(own!.certificate, own!.key, time), time)
    }
    expect(at(0)).toBeUndefined()
    expect(at(37)).toMatchObject({ reason: 'expiring', text: expect.stringContaining('expires in 0 days') as string })
    expect(at(49 + 48)).toMatchObject({
      reason: 'expiring',
      text: expect.stringContaining('expired 2 days ago') as string,
    })
    expect(verdictProblem('web.lab.ts.net', { kind: 'empty' }, now)?.reason).toBe('unissued')
    expect(verdictProblem('web.lab.ts.net', { kind: 'unfit', problem: 'x' }, now)?.reason).toBe('secret-unfit')
  })
})
