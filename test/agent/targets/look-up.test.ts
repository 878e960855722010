import { expect, it } from 'vitest'
import { lookUp, type Lookup } from '../../../agent/targets/look-up.ts'
import type { DnsAnswer } from '../../../lib/resolver.ts'
import { addresses, brokenAnswer, noAddress, noName } from './answers.ts'

const names = ['db.a.', 'db.b.', 'db.']

/** What comes of these answers, A and AAAA of each name, and the names that were asked for. */
async function look(answers: Readonly<Record<string, readonly [DnsAnswer, DnsAnswer]>>, last?: string) {
  const asked = new Set<string>()
  const lookup: Lookup = await lookUp(
    { names, servers: ['10.96.0.10'], last },
    async ({ servers, name, family }) => {
      expect(servers).toEqual(['10.96.0.10'])
      asked.add(name)
      return answers[name]?.[family === 4 ? 0 : 1] ?? noName
    },
    new AbortController().signal,
  )
  return { result: 'failed' in lookup ? lookup.failed : lookup.as, asked: [...asked] }
}

const one = addresses('10.0.0.1')
it.each<[string, Parameters<typeof look>, string, string[]]>([
  ['the first name', [{ 'db.a.': [one, one] }], 'db.a.', ['db.a.']],
  ['one family alone', [{ 'db.a.': [brokenAnswer, one] }], 'db.a.', ['db.a.']],
  ['the next name where one does not exist', [{ 'db.b.': [one, noAddress] }], 'db.b.', ['db.a.', 'db.b.']],
  ['the next name where one has no address', [{ 'db.a.': [noAddress, noAddress], 'db.': [one, one] }], 'db.', names],
  [
    'the next name where one cannot be resolved',
    [{ 'db.a.': [brokenAnswer, noAddress], 'db.': [one, one] }],
    'db.',
    names,
  ],
  [
    'no other name than the last where that cannot be resolved',
    [{ 'db.a.': [brokenAnswer, brokenAnswer], 'db.': [one, one] }, 'db.a.'],
    'db.a. cannot be resolved: 10.96.0.10: no answer',
    ['db.a.'],
  ],
  ['another name where the last does not exist any more', [{ 'db.': [one, one] }, 'db.a.'], 'db.', names],
  [
    'a name that does not exist, whatever else was said of it',
    [{ 'db.a.': [noName, brokenAnswer], 'db.': [one, one] }, 'db.a.'],
    'db.',
    names,
  ],
  [
    'nothing',
    [{ 'db.a.': [noAddress, brokenAnswer], 'db.b.': [noAddress, noAddress] }],
    'db.a. cannot be resolved: 10.96.0.10: no answer; db.b. has no address; db. does not exist (NXDOMAIN)',
    names,
  ],
])('finds %s', async (_name, given, result, asked) => {
  expect(await look(...given)).toEqual({ result, asked })
})
