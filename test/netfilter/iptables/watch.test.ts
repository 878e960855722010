import { describe, expect, it } from 'vitest'
import { watchRules } from '../../../netfilter/iptables/watch.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'

type Look = (clock: VirtualClock) => Promise<string | undefined>

/** Watches until all these looks have been taken; gives when they were, what was logged, and how many changes were told. */
async function watched(looks: readonly Look[]) {
  const over = new AbortController()
  const clock = new VirtualClock()
  const [said, at]: [string[], number[]] = [[], []]
  let changes = 0
  const look = async (): Promise<string | undefined> => {
    at.push(clock.now())
    const next = looks[at.length - 1]
    if (at.length === looks.length) over.abort()
    return next?.(clock)
  }
  const tell = (): void => {
    changes += 1
  }
  const ended = watchRules(look, tell, (line) => said.push(line), over.signal, clock)
  while (!over.signal.aborted) await clock.next()
  await ended
  return { said, changes, at }
}

const nothing: Look = async () => undefined

describe('watchRules', () => {
  it('looks again and again, and says what another program has changed', async () => {
    const found: Look = async () => 'IPv4: CULVERT-GUARD of the table mangle'
    expect(await watched([nothing, found, nothing])).toEqual({
      said: ['the rules of iptables were changed by another program: IPv4: CULVERT-GUARD of the table mangle'],
      changes: 1,
      at: [1500, 3000, 4500],
    })
  })

  it('has them checked where they cannot be looked at, and goes on', async () => {
    const broken: Look = () => Promise.reject(new Error('no'))
    expect(await watched([broken, nothing, broken])).toMatchObject({ said: [], changes: 2 })
  })

  it('rests nine times as long as a look takes', async () => {
    const slow: Look = async (clock) => {
      await clock.sleep(500)
      return undefined
    }
    expect((await watched([slow, nothing])).at).toEqual([1500, 6500])
  })
})
