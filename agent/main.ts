/** Set by the bundler. */
declare const CULVERT_VERSION: string | undefined
const version = typeof CULVERT_VERSION === 'string' ? CULVERT_VERSION : 'unbundled'

// The reader of the log may go away: that must not end a process that carries traffic.
process.stderr.on('error', () => {})
const write = (text: string): void => {
  process.stderr.write(text)
}

// The agent and the commands are imported on demand: a command would take twice the CPU if it evaluated the agent.
async function agent(): Promise<0 | 1> {
  const { runAgent } = await import('./run.ts')
  const { systemClock } = await import('../lib/clock.ts')
  return runAgent({
    env: process.env,
    write,
    onSignal: (listener) => {
      for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => listener(signal))
    },
    onUncaught: (listener) => process.on('uncaughtException', listener),
    clock: systemClock,
    version,
  })
}

async function runCommand(name: string, args: readonly string[]): Promise<0 | 1 | 2> {
  const { cli } = await import('./cli/cli.ts')
  return cli(name, args, {
    env: process.env,
    print: (text) => process.stdout.write(text),
    complain: write,
    version,
  })
}

const [command, ...rest] = process.argv.slice(2)
const code = command === undefined ? await agent() : await runCommand(command, rest)
// A long answer goes into a pipe in several writes.
if (command !== undefined) await new Promise<void>((resolve) => process.stdout.write('', () => resolve()))
// Timers and sockets of a part that did not end must not keep the container alive.
process.exit(code)
