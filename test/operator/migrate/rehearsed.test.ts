import { expect, test } from 'vitest'
import { lineOf } from '../../../lib/finding.ts'
import { judgeRehearsed, type Rehearsed } from '../../../operator/migrate/rehearsed.ts'

const lines = (found: Partial<Rehearsed>): readonly string[] =>
  judgeRehearsed({ changes: [], warnings: [], intended: [], problems: [], isComplete: true, ...found }).map(lineOf)

test('nothing speaks against it', () => {
  expect(lines({ intended: [{ what: 'put', name: 'svc:web' }] })).toEqual([
    'ok devices: no device and no Tailscale Service would be new or removed',
    'ok services: would be written anew, with their addresses: svc:web',
    'ok changes: 0 objects, of which 0 StatefulSets replace their Pods',
  ])
})

test.each([
  [
    { intended: [{ what: 'key', name: 'Service default web' }] },
    /^error keys: .*new device: Service default web\. Start/,
  ],
  [{ intended: [{ what: 'device', name: 'n1' }] }, /^error devices: would be removed from the tailnet: n1\. Start/],
  [{ intended: [{ what: 'remove', name: 'svc:web' }] }, /^error services: would be removed from the tailnet: svc:web/],
  [{ problems: ['Service a/b: denied'] }, /^error rehearsal: Service a\/b: denied/],
  [{ isComplete: false }, /^error rehearsal: it is not complete/],
  [
    { warnings: [{ about: 'Service a/b', reason: 'INVALIDSERVICE', message: 'no' }] },
    /^warning objects: Service a\/b: INVALIDSERVICE: no/,
  ],
] satisfies [Partial<Rehearsed>, RegExp][])('what speaks against it is told: %j', (found, line) => {
  expect(lines(found)).toContainEqual(expect.stringMatching(line))
})
