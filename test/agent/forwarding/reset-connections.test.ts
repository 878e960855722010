import type { LogEvent } from '../../../lib/log-event.ts'
import { expect, it } from 'vitest'
import { resetConnections } from '../../../agent/forwarding/reset-connections.ts'
import { timings } from '../../../agent/world/timings.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'

/** Resets `open` connections with a deadline in `limit` ms; returns how long that took, and the log. */
async function reset(open: number, limit = 20_000) {
  const clock = new VirtualClock()
  const lines: string[] = []
  let ended: number | undefined
  const parts = { clock, timings, log: ({ text }: LogEvent) => lines.push(text) }
  void resetConnections(parts, { endFlows: async () => open }, clock.timeout(limit)).then(() => (ended = clock.now()))
  await clock.advance(60_000)
  return { ended, lines }
}

it('keeps forwarding until nodes have forgotten the connections that were reset', async () => {
  expect(await reset(3)).toEqual({
    ended: timings.drainForget,
    lines: ['3 open connections reset; waiting 12 s for nodes to forget that they led here'],
  })
})

it('takes no time without open connections, and never more than the limit', async () => {
  expect(await reset(0)).toEqual({ ended: 0, lines: [] })
  expect((await reset(1, 5000)).ended).toBe(5000)
})
