import { expect, it } from 'vitest'
import { readCaller } from '../../apiserver/caller.ts'
import { refusalEvents } from '../../apiserver/pod-events.ts'
import { Refused } from '../../apiserver/refused.ts'
import { parseAddress } from '../../lib/address.ts'
import { systemClock } from '../../lib/clock.ts'
import { aWhois } from './a-whois.ts'

const address = parseAddress('100.64.0.7')!
const caller = readCaller(aWhois(address.text), address, new Date(0))
const origin = { address, port: 1 }
const pod = { name: 'proxy-0', uid: 'u' }

function start(its = pod, fails = false) {
  const events: unknown[] = []
  let now = 0
  const kube = {
    createEvent: async (event: unknown): Promise<void> => {
      events.push(event)
      if (fails) throw new Error('forbidden')
    },
  }
  const clock = { ...systemClock, now: () => now }
  const tell = refusalEvents(kube, its, clock, new AbortController().signal)
  return { events, tell, pass: (ms: number) => (now += ms) }
}

it('what the policy or a lack of recorders refuses is an Event of the Pod, once an hour', () => {
  const { events, tell, pass } = start()
  const unreadable = new Refused(403, 'policy', 'the policy has another form')
  tell({ refused: unreadable, caller: undefined, origin })
  tell({ refused: unreadable, caller, origin })
  tell({ refused: new Refused(503, 'recorder', 'no recorder takes it'), caller, origin })
  const of = (reason: string, message: string) => ({ type: 'Warning', reason, message, pod })
  const expected = [
    of('RefusedByPolicy', 'A request of 100.64.0.7 was refused: the policy has another form.'),
    of('NoRecorder', 'A request of laptop.lab.ts.net was refused: no recorder takes it.'),
  ]
  expect(events).toEqual(expected)
  pass(3_600_000)
  tell({ refused: unreadable, caller: undefined, origin })
  expect(events).toEqual([...expected, expected[0]])
})

it('other refusals are no Events, and nothing is without the Pod', () => {
  const [one, other] = [start(), start({ name: 'proxy-0', uid: '' })]
  one.tell({ refused: new Refused(400, 'malformed', 'it cannot be read'), caller, origin })
  other.tell({ refused: new Refused(403, 'policy', 'no'), caller, origin })
  expect([one.events, other.events]).toEqual([[], []])
})

it('an Event that the API refuses is dropped', async () => {
  const { events, tell } = start(pod, true)
  tell({ refused: new Refused(403, 'policy', 'no'), caller, origin })
  await Promise.resolve()
  expect(events.length).toBe(1)
})
