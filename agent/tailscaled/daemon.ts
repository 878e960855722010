import { existsSync, rmSync } from 'node:fs'
import { backoff } from '../../lib/backoff.ts'
import { CulvertError } from '../../lib/errors.ts'
import { sleep } from '../../lib/timers.ts'
import type { LocalApi } from '../../localapi/client.ts'
import type { Daemon, World } from '../world/world.ts'
import { configToHand, handConfig } from '../device-config/effective.ts'
import { tailscaledArguments } from './arguments.ts'
import { keepLoggedIn, type LoginParts } from './login.ts'
import { followOneStep } from './one-step.ts'
import type { Child } from './spawn.ts'

export type Supervisor = {
  /** Keeps tailscaled running and logged in until `stop`; rejects when that is impossible. */
  readonly run: () => Promise<void>
  /** Ends tailscaled: SIGTERM, and SIGKILL when `deadline` aborts. Resolves when it has ended. */
  readonly stop: (deadline: AbortSignal) => Promise<void>
}

/** After so many starts in a row that never reached Running, tailscaled cannot be kept up. */
const maxFailedStarts = 10

type Parts = Omit<LoginParts, 'set'> & {
  /** Variables that tailscaled gets beside the agent's environment. */
  readonly env: Readonly<Record<string, string>>
  readonly api: LocalApi
}

/** The daemon machine (design: down → starting → login → running → stopping): it alone starts, logs in and ends tailscaled. */
export function superviseTailscaled({ store, spawn, log, waits, env, api }: Parts): Supervisor {
  const { settings } = store.world
  const stopping = new AbortController()
  let child: Child | undefined

  const set = (change: Partial<Daemon>): void =>
    store.update((world) => ({ ...world, daemon: { ...world.daemon, ...change } }))

  const start = (): Child => {
    // A socket left by a killed daemon would be taken for the new one's.
    rmSync(settings.socket, { force: true })
    const { deviceConfig } = store.world
    const due = configToHand(store.world)
    const config = deviceConfig && due && { path: handConfig(deviceConfig, due.bytes, settings), ...due }
    const started = spawn('tailscaled', tailscaledArguments(settings, config?.path), { output: 'inherit', env })
    set({ phase: 'starting', ...(started.pid !== undefined && { pid: started.pid }), ...(config && { config }) })
    return started
  }

  /** Resolves when tailscaled has ended. */
  const live = async (running: Child, life: number): Promise<void> => {
    const ended = new AbortController()
    const gone = running.exited.then(() => ended.abort())
    try {
      await waitForSocket(ended.signal)
      set({ phase: 'login' })
      const signal = AbortSignal.any([ended.signal, stopping.signal])
      void killWhenHung(running, signal)
      if (settings.configDirectory === undefined) {
        await keepLoggedIn({ store, spawn, log, waits, set }, life === 0, signal)
      } else await followOneStep({ store, api, log, waits, set }, signal)
    } catch (error) {
      if (!ended.signal.aborted && !stopping.signal.aborted) throw error
    }
    await gone
  }

  /** Ends a tailscaled that runs and does nothing: what it forwards is not kept up, and only a new one can do it. */
  const killWhenHung = async (running: Child, signal: AbortSignal): Promise<void> => {
    const silent = (world: World): boolean => world.tailnet.silent !== undefined
    while (!signal.aborted) {
      try {
        await store.until(silent, signal)
        const limit = AbortSignal.timeout(waits.hung)
        await store.until((world) => !silent(world), AbortSignal.any([signal, limit]))
      } catch {
        if (signal.aborted) return
        log(`tailscaled has not answered for ${waits.hung / 1000} s: it is killed`)
        running.kill('SIGKILL')
        return
      }
    }
  }

  const waitForSocket = async (signal: AbortSignal): Promise<void> => {
    while (!existsSync(settings.socket)) {
      signal.throwIfAborted()
      await sleep(waits.socketPoll, signal)
    }
  }

  return {
    run: async () => {
      const pause = backoff(waits.retryFirst, waits.retryCap)
      for (let life = 0; !stopping.signal.aborted; life += 1) {
        child = start()
        await live(child, life)
        if (stopping.signal.aborted) return
        const { description } = await child.exited
        if (store.world.daemon.phase === 'running') pause.reset()
        set({ phase: 'down', problem: description, restarts: life + 1 })
        if (pause.attempts() >= maxFailedStarts || child.pid === undefined) {
          throw new CulvertError('daemon', `tailscaled cannot be kept running: ${description}`, {
            cause: store.world.stateSecret?.broken,
            remedy: 'Its own messages are in this log, above.',
          })
        }
        const ms = pause.next()
        log(`${description}; it is started again in ${ms} ms (restart ${life + 1})`)
        await sleep(ms, stopping.signal)
      }
    },

    stop: async (deadline) => {
      stopping.abort()
      set({ phase: 'stopping' })
      const running = child
      if (running === undefined) return
      const kill = (): void => running.kill('SIGKILL')
      deadline.addEventListener('abort', kill, { once: true })
      if (deadline.aborted) kill()
      running.kill('SIGTERM')
      await running.exited
      deadline.removeEventListener('abort', kill)
      // Killed, it leaves its socket.
      rmSync(settings.socket, { force: true })
      set({ phase: 'down' })
    },
  }
}
