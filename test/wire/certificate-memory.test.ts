import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { parseCertificateMemory, renderCertificateMemory } from '../../wire/certificate-memory.ts'

const now = Date.parse('2026-11-24T12:00:00Z')
const text = (entry: unknown, version: unknown = 1): string =>
  JSON.stringify({ version, domains: { 'a.ts.net': entry } })
const good = { failures: 2, notBefore: '2026-11-24T13:00:00.000Z', reason: 'rate-limit' }

it('is as documented', () => {
  expect(parseCertificateMemory(text(good), now)).toEqual(
    new Map([['a.ts.net', { failures: 2, notBefore: now + 3_600_000, reason: 'rate-limit' }]]),
  )
})

it('is read as it was written, whatever the order', () => {
  const entry = fc.record({
    failures: fc.nat(1000),
    notBefore: fc.integer({ min: 0, max: now + 86_400_000 }),
    reason: fc.constantFrom('rate-limit', 'x'),
  })
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.domain(), entry)), (entries) => {
      const memory = new Map(entries)
      const written = renderCertificateMemory(memory)
      expect(parseCertificateMemory(written, now)).toEqual(memory)
      expect(renderCertificateMemory(new Map([...memory].toReversed()))).toBe(written)
    }),
  )
})

it.each([
  '',
  '{',
  'null',
  '[]',
  '{}',
  text(good, 2),
  text({ ...good, failures: -1 }),
  text({ ...good, failures: 1.5 }),
  text({ ...good, failures: 1e9 }),
  text({ ...good, notBefore: 'soon' }),
  text({ ...good, notBefore: 7 }),
  text({ ...good, reason: 'x'.repeat(101) }),
  text(null),
  JSON.stringify({ version: 1, domains: [] }),
])('ignores %j', (bad) => {
  expect(parseCertificateMemory(bad, now)).toBeUndefined()
})

it('ignores times too far in the future', () => {
  expect(parseCertificateMemory(text({ ...good, notBefore: '2027-11-24T13:00:00Z' }), now)).toEqual(new Map())
})
