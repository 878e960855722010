import { describe, expect, it } from 'vitest'
import { kept } from '../../lib/kept.ts'
import { VirtualClock } from './virtual-clock.ts'

/** Asks for a key; `asked` has what was really asked for. */
function asking(most = 10) {
  const clock = new VirtualClock()
  const answers = kept<number>(clock, 1000, most)
  const asked: string[] = []
  const get = (key: string, fails = false): Promise<number> =>
    answers.get(key, async () => {
      asked.push(key)
      if (fails) throw new Error('no answer')
      return asked.length
    })
  return { clock, answers, asked, get }
}

describe('answers that are kept', () => {
  it('are asked for once, until they are too old', async () => {
    const { clock, asked, get } = asking()
    expect(await Promise.all([get('a'), get('a'), get('b')])).toEqual([1, 1, 2])
    await clock.advance(999)
    expect(await get('a')).toBe(1)
    await clock.advance(1)
    expect([await get('a'), asked]).toEqual([3, ['a', 'b', 'a']])
  })

  it('are no failures, which all who wait for them get', async () => {
    const { asked, get } = asking()
    const results = await Promise.allSettled([get('a', true), get('a')])
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect([await get('a'), asked]).toEqual([2, ['a', 'a']])
  })

  it('are no more than allowed, and are forgotten when that is wanted', async () => {
    const { answers, asked, get } = asking(2)
    for (const key of ['a', 'b', 'c', 'a', 'c']) await get(key)
    expect(asked).toEqual(['a', 'b', 'c', 'a'])
    answers.forget()
    await get('a')
    expect(asked).toHaveLength(5)
  })
})
