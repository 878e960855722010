import { setFlagsFromString } from 'node:v8'
import { cli } from './cli/cli.ts'
import { runAgent } from './run.ts'

/** Set by the bundler. */
declare const CULVERT_VERSION: string | undefined
const version = typeof CULVERT_VERSION === 'string' ? CULVERT_VERSION : 'unbundled'

// The young generation must not grow: a storm of changes would make it several times the size of all that is kept, and
// it is not given back soon. What it costs, more and shorter collections, does not show beside the programs that are run.
setFlagsFromString('--semi-space-growth-factor=1')

const write = (text: string): void => {
  process.stderr.write(text)
}
const [command, ...rest] = process.argv.slice(2)
const code =
  command === undefined
    ? await runAgent({
        env: process.env,
        write,
        onSignal: (listener) => {
          for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => listener(signal))
        },
        version,
      })
    : await cli(command, rest, {
        env: process.env,
        print: (text) => process.stdout.write(text),
        complain: write,
        version,
      })
// A long answer goes into a pipe in pieces.
if (command !== undefined) await new Promise<void>((resolve) => process.stdout.write('', () => resolve()))
// Timers and sockets of a part that could not be ended must not keep the container alive.
process.exit(code)
