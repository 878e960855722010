import { describe } from '../../lib/errors.ts'
import { build } from './cli/build.ts'
import { down } from './cli/down.ts'
import { env } from './cli/env.ts'
import { events } from './cli/events.ts'
import { exec } from './cli/exec.ts'
import { image } from './cli/image.ts'
import { kubectl } from './cli/kubectl.ts'
import { logs } from './cli/logs.ts'
import { status } from './cli/status.ts'
import { up } from './cli/up.ts'
import { main, UsageError } from './cli/verb.ts'

const verbs = [build, up, down, status, exec, kubectl, logs, events, image, env]

const help = `npm run lab -- COMMAND [OPTIONS]

A tailnet of real parts in network namespaces: control server, relay, hosts, and a Kubernetes cluster beside it. docs/lab.md tells all about it.

${verbs.map(({ name, summary }) => `  ${name.padEnd(8)}${summary}`).join('\n')}

Each command has --help.`

async function run(): Promise<number> {
  const [name, ...args] = process.argv.slice(2)
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

await main('npm run lab --', run, describe)
