import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { schedule } from '../../../kube/controller/schedule.ts'

type Entry = { due: number; urgent: boolean; order: number }

/** The same by looking through all entries. */
function model() {
  const entries = new Map<string, Entry>()
  let order = 0
  return {
    put: (key: string, wanted: number, wantedUrgent: boolean, now: number): void => {
      const before = entries.get(key)
      const due = Math.max(now, Math.min(wanted, before?.due ?? Infinity))
      const urgent = wantedUrgent || before?.urgent === true
      if (before !== undefined && before.urgent === urgent && before.due <= due) return
      entries.set(key, { due, urgent, order: (order += 1) })
    },
    take: (now: number): string | undefined => {
      const due = [...entries].filter(([, entry]) => entry.due <= now)
      const [first] = due.toSorted(
        ([, a], [, b]) => Number(b.urgent) - Number(a.urgent) || a.due - b.due || a.order - b.order,
      )
      if (first !== undefined) entries.delete(first[0])
      return first?.[0]
    },
    size: () => entries.size,
    earliest: () => (entries.size === 0 ? undefined : Math.min(...[...entries.values()].map(({ due }) => due))),
  }
}

const step = fc.oneof(
  fc.record({
    put: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
    after: fc.nat(20),
    urgent: fc.boolean(),
  }),
  fc.record({ pass: fc.nat(10) }),
  fc.constant('take' as const),
)

it('gives the same keys in the same order as a list that is looked through', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const [real, simple] = [schedule(), model()]
      let now = 0
      for (const one of steps) {
        if (one === 'take') expect(real.take(now)).toBe(simple.take(now))
        else if ('pass' in one) now += one.pass
        else for (const each of [real, simple]) each.put(one.put, now + one.after, one.urgent, now)
        expect(real.size()).toBe(simple.size())
        const [next, earliest] = [real.next(), simple.earliest()]
        // Which of several that are due is next is of no interest: there is no wait for it.
        if (earliest === undefined || earliest > now) expect(next).toBe(earliest)
        else expect(next).toBeLessThanOrEqual(now)
      }
    }),
    { numRuns: 300 },
  )
})

it('takes urgent keys first, and then those that were due first', () => {
  const keys = schedule()
  keys.put('initial', 0, false, 0)
  keys.put('later', 50, true, 0)
  keys.put('urgent', 0, true, 0)
  keys.put('late', 30, false, 0)
  expect([keys.take(0), keys.take(0), keys.take(0), keys.next()]).toEqual(['urgent', 'initial', undefined, 30])
  expect([keys.take(60), keys.take(60), keys.take(60), keys.next()]).toEqual(['later', 'late', undefined, undefined])
})
