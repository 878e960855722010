import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { limited } from '../../lib/limit.ts'

it('runs one at a time, and a failure does not stop the others', async () => {
  const inTurn = limited(1)
  const order: string[] = []
  const work =
    (name: string, fails = false) =>
    async () => {
      order.push(`${name} begins`)
      await Promise.resolve()
      order.push(`${name} ends`)
      if (fails) throw new Error(name)
      return name
    }
  const all = [inTurn(work('a')), inTurn(work('b', true)), inTurn(work('c'))]
  expect((await Promise.allSettled(all)).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect(order).toEqual(['a', 'b', 'c'].flatMap((name) => [`${name} begins`, `${name} ends`]))
})

it('runs up to the limit at once, in the order of the calls', async () => {
  const work = fc.record({ turns: fc.integer({ min: 1, max: 5 }), fails: fc.boolean() })
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 5 }), fc.array(work, { maxLength: 30 }), async (many, works) => {
      const inPart = limited(many)
      const begun: number[] = []
      let [now, most] = [0, 0]
      const outcomes = await Promise.allSettled(
        works.map(({ turns, fails }, index) =>
          inPart(async () => {
            begun.push(index)
            now += 1
            most = Math.max(most, now)
            for (let turn = 0; turn < turns; turn += 1) await Promise.resolve()
            now -= 1
            if (fails) throw new Error(`${index}`)
            return index
          }),
        ),
      )
      expect(begun).toEqual(works.map((_, index) => index))
      expect(most).toBe(Math.min(many, works.length))
      expect(outcomes.map(({ status }) => status === 'rejected')).toEqual(works.map(({ fails }) => fails))
    }),
  )
})
