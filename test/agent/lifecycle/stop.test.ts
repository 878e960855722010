import { describe, expect, it } from 'vitest'
import { type StopStage, stopper, stopStages } from '../../../agent/lifecycle/stop.ts'
import { timings } from '../../../agent/world/timings.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'

const start = () => {
  const clock = new VirtualClock()
  const lines: string[] = []
  const force = new AbortController()
  return { clock, lines, force, stop: stopper({ log: ({ text }) => lines.push(text), clock, timings }) }
}

/** A step that waits until its deadline, and records when that was. */
const waitingFor =
  (clock: VirtualClock, ended: [StopStage, number][], stage: StopStage) =>
  async (deadline: AbortSignal): Promise<void> => {
    await clock.sleep(2 ** 31 - 1, deadline)
    ended.push([stage, clock.now()])
  }

describe('the stop', () => {
  it('runs its steps in order, whatever order they were added in, and logs why it stops', async () => {
    const { stop, force } = start()
    const taken: string[] = []
    for (const stage of stopStages.toReversed())
      stop.at(stage, (_deadline, reason) => taken.push(`${stage}: ${reason}`))
    stop.at('closing the endpoints', () => taken.push('closing another one'))
    await stop.run('received SIGTERM', force.signal)
    expect(taken).toEqual([...stopStages.map((stage) => `${stage}: received SIGTERM`), 'closing another one'])
  })

  it('goes on after a step that fails, and logs it', async () => {
    const { stop, force, lines } = start()
    const taken: string[] = []
    stop.at('withdrawing what is advertised', () => Promise.reject(new Error('403: locked')))
    stop.at('waiting for the state', () => {
      throw new Error('no API')
    })
    stop.at('stopping tailscaled', () => taken.push('tailscaled'))
    await stop.run('received SIGTERM', force.signal)
    expect(taken).toEqual(['tailscaled'])
    expect(lines).toEqual([
      'warning: withdrawing what is advertised: 403: locked',
      'warning: waiting for the state: no API',
    ])
  })

  it('reserves a share of its time for tailscaled, whatever comes first', async () => {
    const { stop, force, clock } = start()
    const ended: [StopStage, number][] = []
    for (const stage of ['withdrawing what is advertised', 'waiting for the state', 'stopping tailscaled'] as const)
      stop.at(stage, waitingFor(clock, ended, stage))
    const stopped = stop.run('received SIGTERM', force.signal)
    await clock.advance(60_000)
    await stopped
    const early = timings.stopBudget - timings.stopGrace
    expect(ended).toEqual([
      ['withdrawing what is advertised', early],
      // Its time was already used up.
      ['waiting for the state', early],
      ['stopping tailscaled', timings.stopBudget],
    ])
  })

  it('gives up a step that hangs: tailscaled gets SIGTERM in time, and each later step its share', async () => {
    const { stop, force, clock, lines } = start()
    const began: [StopStage, number][] = []
    for (const stage of stopStages.toReversed()) {
      stop.at(stage, () => {
        began.push([stage, clock.now()])
        if (stage === 'stopping tailscaled') return clock.sleep(timings.stopGrace)
        return new Promise(() => {})
      })
    }
    const stopped = stop.run('received SIGTERM', force.signal)
    await clock.advance(60_000)
    await stopped
    expect(began.map(([stage]) => stage)).toEqual(stopStages)
    const at = new Map(began)
    const early = timings.stopBudget - timings.stopGrace
    expect(at.get('stopping tailscaled')).toBeLessThan(early + 1000)
    expect(clock.now() && at.get('closing the endpoints')).toBeLessThan(timings.stopBudget + timings.stopShare + 1000)
    expect(lines).toHaveLength(stopStages.length - 1)
    expect(lines).toContain('warning: removing the rules: it takes too long; going on without it')
  })

  it('leaves time to withdraw when a reconciler hangs', async () => {
    const { stop, force, clock } = start()
    stop.at('waiting for the reconcilers', () => new Promise(() => {}))
    let withdrawing: [number, boolean] | undefined
    stop.at('withdrawing what is advertised', (deadline) => (withdrawing = [clock.now(), deadline.aborted]))
    const stopped = stop.run('received SIGTERM', force.signal)
    await clock.advance(60_000)
    await stopped
    expect(withdrawing?.[0]).toBeLessThan(timings.stopShare + 1000)
    expect(withdrawing?.[1]).toBe(false)
  })

  it('cuts the steps up to tailscaled short when forced, and still cleans up', async () => {
    const { stop, force, clock, lines } = start()
    const ended: [StopStage, number][] = []
    const cleanUp = stopStages.slice(stopStages.indexOf('stopping tailscaled') + 1)
    for (const stage of stopStages) {
      if (cleanUp.includes(stage)) stop.at(stage, () => clock.sleep(500).then(() => ended.push([stage, clock.now()])))
      else stop.at(stage, waitingFor(clock, ended, stage))
    }
    const stopped = stop.run('received SIGTERM', force.signal)
    await clock.advance(1000)
    force.abort()
    await clock.advance(60_000)
    await stopped
    expect(ended).toEqual([
      ...stopStages.filter((stage) => !cleanUp.includes(stage)).map((stage) => [stage, 1000]),
      ...cleanUp.map((stage, index) => [stage, 1500 + 500 * index]),
    ])
    expect(lines).toEqual([])
  })
})
