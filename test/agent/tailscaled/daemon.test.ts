import { writeFileSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { timings } from '../../../agent/world/timings.ts'
import type { Tailnet } from '../../../agent/world/world.ts'
import { SupervisedDaemon } from './a-daemon.ts'
import type { FakeChild } from './fake-spawn.ts'

let daemon: SupervisedDaemon
const supervise = (...given: ConstructorParameters<typeof SupervisedDaemon>): SupervisedDaemon =>
  (daemon = new SupervisedDaemon(...given))
afterEach(() => daemon.end())

const killed = (child: FakeChild, signal: NodeJS.Signals): unknown =>
  signal === 'SIGKILL' && child.exit({ description: 'tailscaled was ended by SIGKILL' })

describe('a start', () => {
  it('goes from the process over the socket and the login to running', async () => {
    const { clock, store } = supervise()
    await clock.settle()
    expect([daemon.phase, daemon.daemons.length, store.world.daemon.pid]).toEqual(['starting', 1, 1000])
    expect(daemon.daemons[0]).toMatchObject({ options: { output: 'inherit', env: { PORT: '41641' } } })
    await clock.advance(5000)
    expect([daemon.phase, daemon.logins]).toEqual(['starting', []])
    await daemon.listens()
    expect(daemon.phase).toBe('login')
    expect(daemon.logins[0]?.args).toContain('up')
    daemon.logins[0]?.exit()
    daemon.reports({ state: 'Running' })
    await clock.settle()
    expect(daemon.phase).toBe('running')
  })

  it('does not mistake the socket of a killed daemon for its own', async () => {
    const { clock, store } = supervise()
    await daemon.runs()
    writeFileSync(store.world.settings.socket, '')
    await daemon.dies()
    await clock.advance(1000)
    expect(daemon.phase).toBe('starting')
  })
})

describe('a tailscaled that exits or fails to start', () => {
  it('is killed and restarted when it does not open its socket in time', async () => {
    const { clock, lines } = supervise(killed, { onDisk: true })
    await daemon.runs()
    await daemon.dies({ code: 1 })
    await clock.advance(timings.hung - 1000)
    expect(daemon.daemons).toHaveLength(2)
    await clock.advance(2000)
    expect(daemon.daemons).toHaveLength(3)
    expect(lines).toContain('tailscaled has not opened its socket for 120 s: it is killed')
    await daemon.listens()
    await clock.advance(timings.hung)
    expect(daemon.daemons).toHaveLength(3)
  })

  it('is retried when its start cannot be prepared, as with a full disk', async () => {
    const { clock, store, lines } = supervise(undefined, { onDisk: true })
    await daemon.runs()
    daemon.obstacle = new Error('ENOSPC: no space left on device')
    daemon.daemons[0]?.exit({ code: 1 })
    await clock.advance(400)
    expect([daemon.outcome, daemon.daemons.length]).toEqual([undefined, 1])
    expect(lines.join()).toContain('tailscaled cannot be started: ENOSPC: no space left on device; it is started again')
    daemon.obstacle = undefined
    await clock.advance(2000)
    expect(daemon.daemons).toHaveLength(2)
    expect(store.world.daemon.phase).toBe('starting')
  })

  it('is restarted, and logs in again with state in memory', async () => {
    const { store, lines } = supervise()
    await daemon.runs()
    await daemon.dies({ code: 1 })
    expect(store.world.daemon).toMatchObject({
      phase: 'starting',
      restarts: 1,
      problem: expect.stringMatching(/code 1/),
    })
    expect(lines.at(-1)).toMatch(/^tailscaled ended with exit code 1; it is started again in \d+ ms \(restart 1\)$/)
    await daemon.runs()
    expect([daemon.daemons.length, daemon.logins.length, daemon.phase]).toEqual([2, 2, 'running'])
  })

  it('does not log in again with state on disk', async () => {
    supervise(undefined, { onDisk: true })
    await daemon.runs()
    await daemon.dies()
    await daemon.runs()
    expect([daemon.daemons.length, daemon.logins.length, daemon.phase]).toEqual([2, 1, 'running'])
  })

  it('ends the agent after ten fruitless starts in a row', async () => {
    supervise()
    for (let start = 0; start < 11; start += 1) {
      expect(daemon.outcome).toBeUndefined()
      await daemon.listens()
      await daemon.dies({ code: 2 })
    }
    expect(String(daemon.outcome)).toMatch(/tailscaled cannot be kept running: tailscaled ended with exit code 2/)
    expect(daemon.daemons).toHaveLength(11)
  })

  it.each<[string, Partial<Tailnet>]>([
    ['runs in between', { state: 'Running' }],
    ['waits for approval in between', { state: 'NeedsMachineAuth' }],
    ['waits for a person to log in', { state: 'NeedsLogin', loginUrl: 'https://login.example/a' }],
  ])('is restarted without a limit if it %s', async (_what, tailnet) => {
    supervise(undefined, { onDisk: true })
    for (let start = 0; start < 40; start += 1) {
      await daemon.listens()
      daemon.logins.at(-1)?.exit()
      daemon.reports(tailnet)
      await daemon.clock.settle()
      await daemon.dies({ code: 2 })
    }
    expect([daemon.outcome, daemon.daemons.length]).toEqual([undefined, 41])
  })

  it('is not retried when not installed, but when the system lacks resources', async () => {
    supervise()
    await daemon.clock.settle()
    await daemon.dies({ code: undefined, description: 'tailscaled cannot be started: spawn EAGAIN' })
    expect([daemon.outcome, daemon.daemons.length]).toEqual([undefined, 2])
    await daemon.dies({ code: undefined, description: 'tailscaled is not installed, or not in PATH', isFinal: true })
    expect(String(daemon.outcome)).toMatch(/cannot be kept running: tailscaled is not installed/)
  })
})

describe('a tailscaled that does not answer', () => {
  it('is killed after two minutes, and restarted', async () => {
    const { clock } = supervise(killed)
    await daemon.runs()
    daemon.reports({ silent: 'no answer within 5 s' })
    await clock.advance(timings.hung - 1)
    expect(daemon.daemons[0]?.signals).toEqual([])
    await clock.advance(1)
    expect(daemon.daemons[0]?.signals).toEqual(['SIGKILL'])
    daemon.loses('state', 'silent')
    await clock.next()
    expect(daemon.daemons).toHaveLength(2)
  })

  it('is left alone when it answers in time', async () => {
    const { clock } = supervise()
    await daemon.runs()
    for (let time = 0; time < 5; time += 1) {
      daemon.reports({ silent: 'no answer within 5 s' })
      await clock.advance(timings.hung - 1000)
      daemon.loses('silent')
      await clock.advance(1000)
    }
    expect(daemon.daemons.map(({ signals }) => signals)).toEqual([[]])
  })
})

describe('the stop', () => {
  it('sends SIGTERM to tailscaled, and waits for its exit', async () => {
    const { supervisor } = supervise((child, signal) => signal === 'SIGTERM' && setImmediate(() => child.exit()))
    await daemon.runs()
    await supervisor.stop(new AbortController().signal)
    expect([daemon.daemons[0]?.signals, daemon.phase]).toEqual([['SIGTERM'], 'down'])
    await daemon.clock.advance(60_000)
    expect([daemon.daemons.length, daemon.outcome]).toEqual([1, 'ended'])
  })

  it('kills it at the deadline', async () => {
    const { supervisor, clock } = supervise(killed)
    await daemon.runs()
    const deadline = new AbortController()
    const stopped = supervisor.stop(deadline.signal)
    await clock.advance(60_000)
    expect(daemon.daemons[0]?.signals).toEqual(['SIGTERM'])
    deadline.abort()
    await stopped
    expect(daemon.daemons[0]?.signals).toEqual(['SIGTERM', 'SIGKILL'])
  })

  it('sends SIGTERM first even when no time is left', async () => {
    const { supervisor } = supervise(killed)
    await daemon.runs()
    await supervisor.stop(AbortSignal.abort())
    expect(daemon.daemons[0]?.signals).toEqual(['SIGTERM', 'SIGKILL'])
  })

  it('starts nothing once the agent has begun to stop, before its own step', async () => {
    const { store, clock } = supervise()
    await daemon.runs()
    store.update((world) => ({ ...world, lifecycle: { stopping: 'received SIGTERM' } }))
    await daemon.dies({ code: 1 })
    await clock.advance(60_000)
    expect(daemon.daemons).toHaveLength(1)
  })

  it('does not restart a tailscaled that exits meanwhile', async () => {
    const { supervisor, clock } = supervise()
    await clock.settle()
    daemon.daemons[0]?.exit()
    await clock.settle()
    await supervisor.stop(AbortSignal.abort())
    await clock.advance(60_000)
    expect([daemon.daemons.length, daemon.phase]).toEqual([1, 'down'])
  })
})
