import type { Readable, Writable } from 'node:stream'
import { execa } from 'execa'

export type ProgramOptions = {
  /** Whether `stdin` can be written to; otherwise the program has no input. */
  readonly input?: 'pipe' | 'ignore'
  /** `pipe`: stdout and stderr can be read, and must be. `inherit`: this process's own. */
  readonly output: 'pipe' | 'inherit'
  /** So long its output is read after its end, in ms, if a child of its own still holds it; otherwise until that ends. */
  readonly outputOutlivesMs?: number
  /** Its whole environment; defaults to this process's. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Puts it into its own process group, which signals of a terminal do not reach. */
  readonly detached?: boolean
  /** Ends the program when it aborts: with SIGTERM, and SIGKILL 5 s later; or with SIGKILL at once. */
  readonly signal?: AbortSignal
  readonly endWith?: 'SIGTERM' | 'SIGKILL'
}

/** How a program ended: by exit code or signal, or the system's reason why it could not be started. */
export type Ending =
  | { readonly exitCode: number }
  | { readonly signal: NodeJS.Signals }
  | { readonly unstarted: unknown }

export type Program = {
  /** Undefined if it could not be started; then there is no output, and `ended` has the reason. */
  readonly pid: number | undefined
  readonly stdin: Writable | null
  readonly stdout: Readable | null
  readonly stderr: Readable | null
  /** Resolves when it has ended and all its output was read. Never rejects. */
  readonly ended: Promise<Ending>
  readonly kill: (signal: NodeJS.Signals) => void
  /** Whether the program keeps this process alive, as it does at first. */
  readonly keepsUsAlive: (does: boolean) => void
}

/** Starts a program, without a shell. */
export type StartProgram = (name: string, args: readonly string[], options: ProgramOptions) => Program

const killAfterMs = 5000

/**
 * The only place where the agent starts programs. execa's expensive features are off: it neither collects output
 * (`buffer`) nor watches for the end of this process (`cleanup`). Its errors are not passed on, since they quote the
 * arguments.
 */
export const startProgram: StartProgram = (
  name,
  args,
  { input = 'ignore', output, outputOutlivesMs, env, detached = false, signal, endWith = 'SIGTERM' },
) => {
  const running = execa(name, args, {
    stdin: input,
    stdout: output,
    stderr: output,
    ...(env && { env, extendEnv: false }),
    detached,
    ...(signal && { cancelSignal: signal }),
    killSignal: endWith,
    forceKillAfterDelay: signal === undefined ? false : killAfterMs,
    buffer: false,
    cleanup: false,
    reject: false,
    // It would otherwise print each command if NODE_DEBUG is set.
    verbose: 'none',
  })
  const { nodeChildProcess: child, pid } = running
  if (outputOutlivesMs !== undefined) {
    const leave = (): void => [child.stdout, child.stderr].forEach((stream) => stream?.destroy())
    child.once('exit', () => setTimeout(leave, outputOutlivesMs).unref())
  }
  return {
    pid,
    stdin: child.stdin,
    stdout: pid === undefined ? null : child.stdout,
    stderr: pid === undefined ? null : child.stderr,
    ended: running.then(({ exitCode, signal: endedBy, cause }) => {
      if (endedBy !== undefined) return { signal: endedBy }
      return exitCode === undefined ? { unstarted: cause } : { exitCode }
    }),
    kill: (sent) => void child.kill(sent),
    keepsUsAlive: (does) => {
      const parts: (object | null)[] = [child, child.stdin, child.stdout, child.stderr]
      for (const part of parts.filter(isCounted)) {
        if (does) part.ref()
        else part.unref()
      }
    },
  }
}

/** What keeps a process alive: a child, and the pipes to it, which are sockets. */
const isCounted = (part: object | null): part is { readonly ref: () => void; readonly unref: () => void } =>
  part !== null && 'ref' in part
