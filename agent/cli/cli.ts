import { describe, exitCodeOf } from '../../lib/errors.ts'
import { readable } from '../../lib/quote.ts'
import type { Environment } from '../settings/read.ts'
import { type Command, type CommandName, commands, isCommand } from './commands.ts'

export type Terminal = {
  readonly env: Environment
  readonly agent: (flags: readonly string[]) => Promise<0 | 1 | 2>
  readonly print: (text: string) => Promise<void>
  readonly complain: (text: string) => void
  readonly version: string
  /** The directory of the agent's bundle. */
  readonly home: string
}

/** The values of flags and arguments by their names. */
type Given = ReadonlyMap<string, string>

const asksForHelp = (arg: string): boolean => arg === '--help' || arg === '-h'

/**
 * Runs a command; without one, the agent. Exit codes: 0; 1 for "no" or if the agent cannot be reached; 2 for wrong
 * usage. Each command imports only what it needs, since kubelet may run it every few seconds.
 */
export async function cli(args: readonly string[], terminal: Terminal): Promise<0 | 1 | 2> {
  const [first = 'run', ...rest] = args
  const name = asksForHelp(first) ? 'help' : first === '--version' ? 'version' : first.startsWith('-') ? 'run' : first
  if (name === 'run' && !rest.some(asksForHelp)) return terminal.agent(first === 'run' ? rest : args)
  try {
    if (!isCommand(name)) {
      const { absentCommand } = await import('../../lib/flags.ts')
      throw absentCommand(name, Object.keys(commands))
    }
    return await runCommand(name, rest, terminal)
  } catch (error) {
    terminal.complain(`culvert: ${readable(describe(error))}\n`)
    return exitCodeOf(error)
  }
}

async function runCommand(name: CommandName, args: readonly string[], terminal: Terminal): Promise<0 | 1> {
  if (name === 'run' || name === 'help' || args.some(asksForHelp)) {
    const { help, helpOf } = await import('./help.ts')
    await terminal.print(name === 'help' ? help() : helpOf(name))
    return 0
  }
  if (name === 'completion') {
    const { completion } = await import('./completion.ts')
    await terminal.print(completion(args))
    return 0
  }
  const given = await flagsOf(commands[name], args)
  if (name === 'version') {
    await terminal.print(`${terminal.version}\n`)
    return 0
  }
  if (name === 'check-image') {
    const { checkImage } = await import('./check-image.ts')
    const { runCommand: run } = await import('../../lib/command.ts')
    const warning = await checkImage(run, terminal.home, given.get('record') === 'true')
    if (warning !== undefined) terminal.complain(`culvert: warning: ${warning}\n`)
    return 0
  }
  if (name === 'kubeconfig') {
    const { kubeconfig } = await import('./kubeconfig.ts')
    await terminal.print(await kubeconfig(given, terminal.env))
    return 0
  }
  if (name === 'trace') {
    const { runTrace } = await import('./trace.ts')
    await runTrace(given, terminal, socketOf(given, terminal))
    return 0
  }
  if (name === 'check') {
    const { runCheck } = await import('./check.ts')
    return runCheck(given, terminal, socketOf(given, terminal))
  }
  return askAgent(name, given, terminal)
}

/** The socket of the running agent. */
const socketOf = (given: Given, { env }: Terminal): string =>
  given.get('culvert-socket') || env['CULVERT_SOCKET'] || `${env['TS_TEST_ONLY_ROOT'] ?? ''}/tmp/culvert.sock`

async function askAgent(
  name: 'status' | 'ready' | 'live' | 'ruleset',
  given: Given,
  terminal: Terminal,
): Promise<0 | 1> {
  const { print, complain } = terminal
  const socket = socketOf(given, terminal)
  const verbose = given.get('verbose') === 'true' ? '?verbose' : ''
  const path = { status: '/status', ruleset: '/ruleset', ready: `/readyz${verbose}`, live: '/livez' }[name]
  const { ask } = await import('./ask.ts')
  const answer = await ask(socket, path).catch((error: unknown) => {
    complain(`culvert: no agent answers on ${socket}: ${describe(error)}\n`)
  })
  if (answer === undefined) return 1
  const { status, body } = answer
  if (name === 'status' && given.get('json') !== 'true') {
    const { renderStatus } = await import('./status.ts')
    await print(renderStatus(JSON.parse(body)))
  } else if (name === 'ruleset' && status === 200) {
    const { renderRuleset } = await import('./ruleset.ts')
    await print(await renderRuleset(body, given))
  } else {
    await print(body)
  }
  return status === 200 ? 0 : 1
}

/** @throws CulvertError `usage` for anything but the command's flags. */
async function flagsOf({ flags, positionals, settings }: Command, args: readonly string[]): Promise<Given> {
  if (args.length === 0) return new Map()
  const { parseFlags } = await import('../../lib/flags.ts')
  const own = Object.entries(flags).map(([name, { type }]) => [name, type] as const)
  const known = new Map([...(settings === true ? (await import('../settings/flags.ts')).settingFlags : []), ...own])
  return new Map(parseFlags(args, known, undefined, positionals).map(({ name, value }) => [name, value]))
}
