import { cli } from './cli/cli.ts'

/** Set by the bundler. */
declare const CULVERT_VERSION: string | undefined
const version = typeof CULVERT_VERSION === 'string' ? CULVERT_VERSION : 'unbundled'

// The reader of the log may go away: that must not end a process that carries traffic.
process.stderr.on('error', () => {})
const write = (text: string): void => {
  process.stderr.write(text)
}

// Imported on demand: a command would take twice the CPU if it evaluated the agent.
async function agent(args: readonly string[]): Promise<0 | 1 | 2> {
  const { runAgent } = await import('./run.ts')
  const { systemClock } = await import('../lib/clock.ts')
  return runAgent({
    env: process.env,
    args,
    write,
    onSignal: (listener) => {
      for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => listener(signal))
    },
    onUncaught: (listener) => process.on('uncaughtException', listener),
    clock: systemClock,
    version,
    home: import.meta.dirname,
  })
}

// Otherwise a package would fail at its first use, with a stack that does not show the cause.
if (Number.parseInt(process.versions.node, 10) < 24) {
  write(`culvert: this is Node ${process.versions.node}, and Node 24 or later is needed\n`)
  process.exit(1)
}
const code = await cli(process.argv.slice(2), {
  env: process.env,
  agent,
  print: (text) => {
    // Its reader may be gone, as in `culvert status | head -1`.
    if (process.stdout.listenerCount('error') === 0) process.stdout.on('error', () => {})
    // A long answer goes into a pipe in several writes.
    return new Promise((resolve) => process.stdout.write(text, () => resolve()))
  },
  complain: write,
  version,
  home: import.meta.dirname,
})
// Timers and sockets of a part that did not end must not keep the container alive.
process.exit(code)
