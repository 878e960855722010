import { expect, test } from 'vitest'
import { gate, type Hosted, patience } from '../../../operator/group-ingress/gate.ts'

const here: Hosted = { service: 'svc:a', isHere: true, isElsewhere: true }
const elsewhere: Hosted = { service: 'svc:b', isHere: false, isElsewhere: true }
const nowhere: Hosted = { service: 'svc:c', isHere: false, isElsewhere: false }
const { settled } = patience

test.each<[string, readonly Hosted[], number, number, boolean, RegExp]>([
  ['has nothing to advertise is ready at once', [], 0, 0, true, /advertises all/],
  ['advertises all is ready once the tailnet knows', [here], 60_000, settled, true, /advertises all/],
  ['advertises all waits a moment for the tailnet', [here], 60_000, settled - 1, false, /the tailnet learns/],
  ['lacks one that others advertise waits for it', [here, elsewhere], patience.elsewhere - 1, 0, false, /svc:b$/],
  ['lacks one that others advertise does not wait for ever', [elsewhere], patience.elsewhere, 0, true, /svc:b$/],
  ['lacks one that nobody advertises waits less', [nowhere], patience.nowhere - 1, 0, false, /svc:c$/],
  [
    'lacks one that nobody advertises does not hold up the rollout',
    [here, nowhere],
    patience.nowhere,
    0,
    true,
    /svc:c$/,
  ],
  ['names only what it still waits for', [elsewhere, nowhere], patience.nowhere, 0, false, /advertise svc:b$/],
])('a Pod that %s', (_what, services, waited, complete, isOpen, message) => {
  expect(gate(services, waited, complete)).toMatchObject({ isOpen, message: expect.stringMatching(message) as unknown })
})

test('it is asked again when the verdict changes by itself', () => {
  expect(gate([elsewhere, nowhere], 1000, 0).again).toBe(patience.nowhere - 1000)
  expect(gate([here], 0, 1000).again).toBe(settled - 1000)
  expect(gate([here], 0, settled).again).toBeUndefined()
})
