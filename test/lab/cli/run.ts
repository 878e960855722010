import { build } from './build.ts'
import { down } from './down.ts'
import { env } from './env.ts'
import { events } from './events.ts'
import { exec } from './exec.ts'
import { image } from './image.ts'
import { kubectl } from './kubectl.ts'
import { logs } from './logs.ts'
import { status } from './status.ts'
import { up } from './up.ts'
import { UsageError } from './verb.ts'

const verbs = [build, up, down, status, exec, kubectl, logs, events, image, env]

const help = `npm run lab -- COMMAND [OPTIONS]

A tailnet of real parts in network namespaces: control server, relay, hosts, and a Kubernetes cluster beside it. docs/lab.md tells all about it.

${verbs.map(({ name, summary }) => `  ${name.padEnd(8)}${summary}`).join('\n')}

Each command has --help.`

/** Runs the command that arguments name; gives its exit code. @throws UsageError */
export async function run([name, ...args]: readonly string[]): Promise<number> {
  if (name === '--help' || name === '-h' || name === 'help') {
    console.log(help)
    return 0
  }
  if (name === undefined) throw new UsageError('a command is missing')
  const verb = verbs.find((one) => one.name === name)
  if (verb === undefined)
    throw new UsageError(`there is no command "${name}"; there are ${verbs.map((one) => one.name).join(', ')}`)
  // What follows `--` is for the command that is run, including its `--help`.
  const own = args.includes('--') ? args.slice(0, args.indexOf('--')) : args
  if (own.includes('--help') || own.includes('-h')) {
    console.log(verb.help)
    return 0
  }
  return await verb.run(args)
}
