import { codeOf, describe } from '../../lib/errors.ts'
import { type Ending, type StartProgram, startProgram } from '../../lib/program.ts'
import type { Environment } from '../settings/read.ts'

/** How a child process ended. */
export type Exit = {
  readonly code: number | undefined
  readonly description: string
  /** It could not be started, and another attempt cannot help. */
  readonly isFinal?: true
}

export type Child = {
  /** Undefined when it could not be started. */
  readonly pid: number | undefined
  /** stdout and stderr if they are piped, otherwise nothing. */
  readonly output: readonly NodeJS.ReadableStream[]
  readonly exited: Promise<Exit>
  readonly kill: (signal: NodeJS.Signals) => void
}

export type SpawnOptions = {
  readonly output: 'inherit' | 'pipe'
  /** As of any program. */
  readonly outputOutlivesMs?: number
  /** Ends the child with SIGTERM, and SIGKILL 5 s later. */
  readonly signal?: AbortSignal
  /** Variables in addition to the agent's own environment, which children always inherit. */
  readonly env?: Readonly<Record<string, string>>
}

/** Starts tailscaled and tailscale. Never throws: a program that cannot be started has ended, with the reason. */
export type Spawn = (program: string, args: readonly string[], options: SpawnOptions) => Child

/** `environment`: inherited by every child. */
export const spawner =
  (environment: Environment, start: StartProgram = startProgram): Spawn =>
  (program, args, { signal, env, ...output }) => {
    const child = start(program, args, {
      ...output,
      env: { ...environment, ...env },
      // A signal for the agent's process group (Ctrl-C) must reach only the agent, which then stops its children in
      // order.
      detached: true,
      ...(signal && { signal }),
    })
    return {
      pid: child.pid,
      output: [child.stdout, child.stderr].filter((stream) => stream !== null),
      exited: child.ended.then((ending) => exitOf(program, ending)),
      kill: child.kill,
    }
  }

function exitOf(program: string, ending: Ending): Exit {
  if ('unstarted' in ending) return failure(program, ending.unstarted)
  if ('signal' in ending) return { code: undefined, description: `${program} was ended by ${ending.signal}` }
  return { code: ending.exitCode, description: `${program} ended with exit code ${ending.exitCode}` }
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
