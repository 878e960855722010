import { type ChildProcess, spawn as spawnProcess } from 'node:child_process'
import { codeOf, describe } from '../../lib/errors.ts'
import type { Environment } from '../settings/read.ts'

/** How a child process ended. */
export type Exit = {
  readonly code: number | undefined
  readonly description: string
  /** It could not be started, and will not be at another try either. */
  readonly isFinal?: true
}

export type Child = {
  /** Undefined when it could not be started. */
  readonly pid: number | undefined
  /** stdout and stderr where they are piped, else nothing. */
  readonly output: readonly NodeJS.ReadableStream[]
  readonly exited: Promise<Exit>
  readonly kill: (signal: NodeJS.Signals) => void
}

export type SpawnOptions = {
  readonly output: 'inherit' | 'pipe'
  /** Ends the child with SIGTERM, and SIGKILL 5 s later. */
  readonly signal?: AbortSignal
  /** Variables beside the agent's own environment, which children always get whole. */
  readonly env?: Readonly<Record<string, string>>
}

/**
 * Starts tailscaled and tailscale; narrow, so that it is the one place where the agent starts a process that lasts. Never
 * throws: what cannot be started has ended, with the reason.
 */
export type Spawn = (program: string, args: readonly string[], options: SpawnOptions) => Child

const killAfter = 5000

/** `environment`: what every child gets. */
export const spawner =
  (environment: Environment, start: typeof spawnProcess = spawnProcess): Spawn =>
  (program, args, { output, signal, env }) => {
    let child: ChildProcess
    try {
      child = start(program, args, {
        stdio: ['ignore', output, output],
        env: { ...environment, ...env },
        // A signal for the agent's process group (Ctrl-C) must reach the agent alone, which then stops its children in order.
        detached: true,
      })
    } catch (error) {
      return unstarted(failure(program, error))
    }
    const ended = new AbortController()
    const exited = new Promise<Exit>((resolve) => {
      child.once('error', (error) => {
        // Also for a signal that could not be sent: then it runs, and will close.
        if (child.pid === undefined) resolve(failure(program, error))
      })
      child.once('close', (code, name) => {
        ended.abort()
        const how = name === null ? `ended with exit code ${code}` : `was ended by ${name}`
        resolve({ code: code ?? undefined, description: `${program} ${how}` })
      })
    })
    const end = (): void => {
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), killAfter)
      ended.signal.addEventListener('abort', () => clearTimeout(timer), { once: true })
    }
    if (signal?.aborted) end()
    signal?.addEventListener('abort', end, { once: true, signal: ended.signal })
    return {
      pid: child.pid,
      // Where the system has no more of something, there may be no streams either.
      output: [child.stdout, child.stderr].filter((stream) => stream != null),
      exited,
      kill: (name) => child.kill(name),
    }
  }

function failure(program: string, error: unknown): Exit {
  const code = codeOf(error) ?? ''
  const why = code === 'ENOENT' ? 'is not installed, or not in PATH' : `cannot be started: ${describe(error)}`
  const isFinal = ['ENOENT', 'EACCES', 'ENOEXEC'].includes(code)
  return { code: undefined, description: `${program} ${why}`, ...(isFinal && { isFinal }) }
}

export const unstarted = (exit: Exit): Child => ({
  pid: undefined,
  output: [],
  exited: Promise.resolve(exit),
  kill: () => {},
})
