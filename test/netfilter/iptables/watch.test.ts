import { describe, expect, it } from 'vitest'
import { watchRules } from '../../../netfilter/iptables/watch.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'

type Look = (clock: VirtualClock) => Promise<string | undefined>

/** Watches for this many checks; returns their times, the log, and the number of reported changes. */
async function watched(looks: readonly Look[]) {
  const over = new AbortController()
  const clock = new VirtualClock()
  const [logged, at]: [string[], number[]] = [[], []]
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
  const ended = watchRules(look, tell, ({ text }) => logged.push(text), over.signal, clock)
  while (!over.signal.aborted) await clock.next()
  await ended
  return { logged, changes, at }
}

const nothing: Look = async () => undefined

describe('watchRules', () => {
  it('checks regularly, and logs what another program has changed', async () => {
    const found: Look = async () => 'IPv4: CULVERT-GUARD of the table mangle'
    expect(await watched([nothing, found, nothing])).toEqual({
      logged: ['the rules of iptables were changed by another program: IPv4: CULVERT-GUARD of the table mangle'],
      changes: 1,
      at: [1500, 3000, 4500],
    })
  })

  it('reports a change if a check fails, and goes on', async () => {
    const broken: Look = () => Promise.reject(new Error('no'))
    expect(await watched([broken, nothing, broken])).toMatchObject({ logged: [], changes: 2 })
  })

  it('pauses nine times as long as a check takes', async () => {
    const slow: Look = async (clock) => {
      await clock.sleep(500)
      return undefined
    }
    expect((await watched([slow, nothing])).at).toEqual([1500, 6500])
  })
})
