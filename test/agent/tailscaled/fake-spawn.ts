import { PassThrough } from 'node:stream'
import type { Child, Exit, Spawn, SpawnOptions } from '../../../agent/tailscaled/spawn.ts'

/** A process that the test ends. */
export type FakeChild = Child & {
  readonly program: string
  readonly args: readonly string[]
  readonly options: SpawnOptions
  /** The signals that it was sent. */
  readonly signals: readonly NodeJS.Signals[]
  /** Prints a line; only if its output is piped. */
  readonly print: (line: string) => void
  readonly exit: (exit?: Partial<Exit>) => void
}

/**
 * Replaces the starting of processes: `children` has all that were started. `onSignal` says how tailscaled reacts to a
 * signal, by default not at all; other programs end.
 */
export function fakeSpawn(onSignal: (child: FakeChild, signal: NodeJS.Signals) => void = () => {}) {
  const children: FakeChild[] = []
  const spawn: Spawn = (program, args, options) => {
    const output = options.output === 'pipe' ? [new PassThrough()] : []
    const signals: NodeJS.Signals[] = []
    const exited = Promise.withResolvers<Exit>()
    const child: FakeChild = {
      program,
      args,
      options,
      pid: 1000 + children.length,
      output,
      signals,
      exited: exited.promise,
      kill: (signal) => {
        signals.push(signal)
        if (program === 'tailscaled') onSignal(child, signal)
        else child.exit({ description: `${program} was ended by ${signal}` })
      },
      print: (line) => output[0]?.write(`${line}\n`),
      exit: (exit = {}) => {
        output[0]?.end()
        exited.resolve({ code: 0, description: `${program} ended with exit code ${exit.code ?? 0}`, ...exit })
      },
    }
    options.signal?.addEventListener('abort', () => child.kill('SIGTERM'), { once: true })
    children.push(child)
    return child
  }
  return { spawn, children }
}
