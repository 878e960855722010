import { describe, expect, it } from 'vitest'
import { memo, memoOf } from '../../lib/memo.ts'

describe('memo', () => {
  const numbers = [1, 2]
  type Input = { readonly numbers: readonly number[]; readonly other?: string }
  const doubled = () => {
    let computed = 0
    const of = memo(
      ({ numbers: list }: Input) => [list],
      ({ numbers: list }) => {
        computed += 1
        return list.map((number) => 2 * number)
      },
    )
    return { of, computed: () => computed }
  }

  it.each<[string, Input, number, boolean]>([
    ['the last output while the inputs are the same', { numbers, other: 'x' }, 1, true],
    ['the last output when the new one is equal', { numbers: [...numbers] }, 2, true],
    ['another output', { numbers: [1, 3] }, 2, false],
  ])('gives %s', (_what, next, times, same) => {
    const { of, computed } = doubled()
    const first = of({ numbers })
    expect(of(next) === first).toBe(same)
    expect(of(next)).toEqual(next.numbers.map((number) => 2 * number))
    expect(computed()).toBe(times)
  })
})

it('memoOf computes once for each value, also when the result is undefined', () => {
  const asked: object[] = []
  const nothing = memoOf((value: object): undefined => {
    asked.push(value)
  })
  const [one, other] = [{}, {}]
  expect([one, other, one, other].map(nothing)).toEqual([undefined, undefined, undefined, undefined])
  expect(asked).toEqual([one, other])
})
