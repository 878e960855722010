import { existsSync, rmSync } from 'node:fs'
import { backoff } from '../../lib/backoff.ts'
import { CulvertError, describe } from '../../lib/errors.ts'
import type { OpenLog } from '../../lib/log.ts'
import { aborted } from '../../lib/timers.ts'
import type { Context } from '../world/context.ts'
import type { Daemon, World } from '../world/world.ts'
import { tailscaledArguments } from './arguments.ts'
import { keepLoggedIn, waitsForPerson } from './login.ts'
import { followOneStep } from './one-step.ts'
import { type Child, type Spawn, unstarted } from './spawn.ts'
import { carryLines } from './its-lines.ts'
import { events } from './log-events.ts'

export type Supervisor = {
  /** Keeps tailscaled running and logged in until `stop`; rejects when that is impossible. */
  readonly run: () => Promise<void>
  /** Ends tailscaled: SIGTERM, and SIGKILL when `deadline` aborts. Resolves when it has ended. */
  readonly stop: (deadline: AbortSignal) => Promise<void>
}

/** After this many failed starts in a row, tailscaled cannot be kept running. */
const maxFailedStarts = 10

/** A crash must be noticed while a child of tailscaled lives on. */
const carried = { output: 'pipe', outputOutlivesMs: 1000 } as const

type Parts = Pick<Context, 'store' | 'api' | 'log' | 'timings' | 'clock'> & {
  readonly spawn: Spawn
  /** Variables for tailscaled in addition to the agent's environment. */
  readonly env: Readonly<Record<string, string>>
  /** Tells its lines, unless it writes them itself. */
  readonly carry: OpenLog['carry']
  /** Puts the config file of one-step mode where tailscaled will read it; gives the path. */
  readonly placeConfig: () => string | undefined
}

/** The daemon machine: down → starting → login → running → stopping. It alone starts, logs in and ends tailscaled. */
export function superviseTailscaled({
  store,
  api,
  spawn,
  log,
  carry,
  timings,
  clock,
  env,
  placeConfig,
}: Parts): Supervisor {
  const { settings } = store.world
  const stopping = new AbortController()
  const write = store.writer('daemon')
  let child: Child | undefined
  /** Settles when tailscaled has ended, and what it was logged in with. */
  let living: Promise<boolean> | undefined

  /** Nothing is restarted once the agent stops. */
  const ends = (): boolean => stopping.signal.aborted || store.world.lifecycle.stopping !== undefined
  const set = (change: Partial<Daemon>): void => write((daemon) => ({ ...daemon, ...change }))

  const start = (): Child => {
    let started: Child
    try {
      // The socket of a killed daemon would be taken for the new one's.
      rmSync(settings.socket, { force: true })
      const output = carry === undefined ? ({ output: 'inherit' } as const) : carried
      started = spawn('tailscaled', tailscaledArguments(settings, placeConfig()), { ...output, env })
      if (carry !== undefined) void carryLines(started.output, (event) => carry('tailscaled', event))
    } catch (error) {
      // A lack of space or file descriptors may be over at the next start.
      started = unstarted({ code: undefined, description: `tailscaled cannot be started: ${describe(error)}` })
    }
    set({ phase: 'starting', ...(started.pid !== undefined && { pid: started.pid }) })
    return started
  }

  /** Resolves when tailscaled has ended, with whether the start was a success. */
  const live = async (running: Child, life: number): Promise<boolean> => {
    const ended = new AbortController()
    const gone = running.exited.then(() => ended.abort())
    let isHealthy = false
    try {
      await waitForSocket(running, ended.signal)
      set({ phase: 'login' })
      void store.until(cameToSomething, ended.signal).then(
        () => (isHealthy = true),
        () => {},
      )
      const signal = AbortSignal.any([ended.signal, stopping.signal])
      void killWhenHung(running, signal)
      if (settings.configDirectory === undefined) {
        await keepLoggedIn({ store, api, spawn, log, timings, clock, set }, life === 0, signal)
      } else await followOneStep({ store, api, log, timings, clock, set }, signal)
    } catch (error) {
      if (!ended.signal.aborted && !stopping.signal.aborted) throw error
    }
    await gone
    return isHealthy
  }

  /** Kills a tailscaled that hangs: what it forwards is no longer maintained, and only a new one can do that. */
  const killWhenHung = async (running: Child, signal: AbortSignal): Promise<void> => {
    const silent = (world: World): boolean => world.tailnet.silent !== undefined
    while (!signal.aborted) {
      try {
        await store.until(silent, signal)
        const limit = clock.timeout(timings.hung)
        await store.until((world) => !silent(world), AbortSignal.any([signal, limit]))
      } catch {
        if (signal.aborted) return
        log(events.hung({ seconds: timings.hung / 1000 }))
        running.kill('SIGKILL')
        return
      }
    }
  }

  /** One that does not open its socket in time is killed like one that hangs later. */
  const waitForSocket = async (running: Child, signal: AbortSignal): Promise<void> => {
    const limit = clock.timeout(timings.hung)
    const killLate = (): void => {
      log(events.noSocket({ seconds: timings.hung / 1000 }))
      running.kill('SIGKILL')
    }
    const opened = new AbortController()
    limit.addEventListener('abort', killLate, { once: true, signal: AbortSignal.any([signal, opened.signal]) })
    while (!existsSync(settings.socket)) {
      signal.throwIfAborted()
      await clock.sleep(timings.socketPoll, signal)
    }
    opened.abort()
  }

  return {
    run: async () => {
      const pause = backoff(timings.retryFirst, timings.retryCap)
      for (let life = 0; !ends(); life += 1) {
        child = start()
        living = live(child, life)
        const isHealthy = await living
        if (ends()) return
        const { description, isFinal } = await child.exited
        if (isHealthy) pause.reset()
        set({ phase: 'down', problem: description, restarts: life + 1 })
        if (pause.attempts() >= maxFailedStarts || isFinal) {
          throw new CulvertError('daemon', `tailscaled cannot be kept running: ${description}`, {
            cause: store.world.stateSecret?.broken,
            remedy: 'Its own messages are in this log, above.',
          })
        }
        const ms = pause.next()
        log(events.startedAgain({ how: description, ms, restarts: life + 1 }))
        await clock.sleep(ms, stopping.signal)
      }
    },

    stop: async (deadline) => {
      stopping.abort()
      set({ phase: 'stopping' })
      const running = child
      if (running === undefined) return
      const kill = (): void => running.kill('SIGKILL')
      // Always first, so that it can withdraw from the tailnet and write its state, however little time is left.
      running.kill('SIGTERM')
      if (deadline.aborted) kill()
      else deadline.addEventListener('abort', kill, { once: true })
      await running.exited
      deadline.removeEventListener('abort', kill)
      // A login may take longer to end.
      await Promise.race([living?.catch(() => {}), aborted(deadline)])
      // A killed tailscaled leaves its socket.
      rmSync(settings.socket, { force: true })
      set({ phase: 'down' })
    },
  }
}

/** It was in the tailnet, or would be if a person had acted: a node may wait for approval for days. */
const cameToSomething = ({ daemon, tailnet }: World): boolean => daemon.phase === 'running' || waitsForPerson(tailnet)
