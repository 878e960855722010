import { execa } from 'execa'

/** How a child process ended. */
export type Exit = { readonly code: number | undefined; readonly description: string }

export type Child = {
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

/** Starts tailscaled and tailscale; narrow, so that it is the one place where the agent starts a process that lasts. */
export type Spawn = (program: string, args: readonly string[], options: SpawnOptions) => Child

export const spawn: Spawn = (program, args, { output, signal, env }) => {
  const child = execa(program, args, {
    stdin: 'ignore',
    stdout: output,
    stderr: output,
    buffer: false,
    reject: false,
    // A signal for the agent's process group (Ctrl-C) must reach the agent alone, which then stops its children in order.
    detached: true,
    cleanup: true,
    forceKillAfterDelay: 5000,
    ...(signal && { cancelSignal: signal }),
    ...(env && { env }),
  })
  const exited = child.then((result): Exit => {
    const code = result.exitCode
    if (result.code === 'ENOENT') return { code, description: `${program} is not installed, or not in PATH` }
    if (result.signal) return { code, description: `${program} was ended by ${result.signal}` }
    return { code, description: `${program} ended with exit code ${code ?? result.code ?? 'unknown'}` }
  })
  return {
    pid: child.pid,
    output: [child.stdout, child.stderr].filter((stream) => stream !== null && stream !== undefined),
    exited,
    kill: (name) => child.kill(name),
  }
}
