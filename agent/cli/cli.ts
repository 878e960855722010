import { describe } from '../../lib/errors.ts'
import type { Environment } from '../settings/read.ts'

const help = `Usage: culvert [COMMAND]      (outside of the image: node agent.js [COMMAND])

Without a command: run the agent. Its settings are environment variables; docs/settings.md lists them.

Commands, for use inside the container, which ask the running agent through its socket:
  status [--json]   what is running, forwarded and wrong
  ready [--verbose] exit code 0 when traffic flows, else 1 and the reasons; with --verbose every check
  live              exit code 0 when the agent answers and does not hang, else 1

Commands that need no agent:
  check-image       exit code 0 when the tailscaled here is the one that the agent is made for; run by the image's build
  version           the version
  help              this text

The socket is CULVERT_SOCKET (default /tmp/culvert.sock).
`

type Terminal = {
  readonly env: Environment
  readonly print: (text: string) => void
  readonly complain: (text: string) => void
  readonly version: string
}

/** The option that a command takes in addition to --help. */
const options = new Map([
  ['status', '--json'],
  ['ready', '--verbose'],
])

/**
 * Runs a command other than the agent itself. Exit codes: 0; 1 for "no" or if the agent cannot be reached; 2 for wrong
 * usage. Each command imports only what it needs, since kubelet may run it every few seconds.
 */
export async function cli(command: string, args: readonly string[], terminal: Terminal): Promise<0 | 1 | 2> {
  const { env, print, complain, version } = terminal
  const unknown = args.find((arg) => !['--help', '-h', options.get(command)].includes(arg))
  if (unknown !== undefined) {
    complain(`culvert: ${command} takes no ${unknown}\n\n${help}`)
    return 2
  }
  const name = args.includes('--help') || args.includes('-h') ? 'help' : command
  switch (name) {
    case 'help':
    case '--help':
    case '-h':
      print(help)
      return 0
    case 'version':
    case '--version':
      print(`${version}\n`)
      return 0
    case 'check-image':
      try {
        const { checkImage } = await import('./check-image.ts')
        const { runCommand } = await import('../../lib/command.ts')
        await checkImage(runCommand)
        return 0
      } catch (error) {
        complain(`culvert: ${describe(error)}\n`)
        return 1
      }
    case 'status':
    case 'ready':
    case 'live':
      break
    default:
      complain(`culvert: unknown command ${command}\n\n${help}`)
      return 2
  }
  const socket = env['CULVERT_SOCKET'] || `${env['TS_TEST_ONLY_ROOT'] ?? ''}/tmp/culvert.sock`
  const path = { status: '/status', ready: args.includes('--verbose') ? '/readyz?verbose' : '/readyz', live: '/livez' }[
    name
  ]
  try {
    const { ask } = await import('./ask.ts')
    const { status, body } = await ask(socket, path)
    if (name === 'status' && !args.includes('--json')) {
      const { renderStatus } = await import('./status.ts')
      print(renderStatus(JSON.parse(body)))
    } else {
      print(body)
    }
    return status === 200 ? 0 : 1
  } catch (error) {
    complain(`culvert: no agent answers on ${socket}: ${describe(error)}\n`)
    return 1
  }
}
