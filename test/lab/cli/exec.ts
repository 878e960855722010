import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { openBed } from '../bed.ts'
import { enter } from '../namespaces/enter.ts'
import { childrenOf, signal } from '../namespaces/procs.ts'
import { nameHelp, nameOption, parse, UsageError, type Verb } from './verb.ts'

export const exec: Verb = {
  name: 'exec',
  summary: 'run a command in a host',
  help: `npm run lab -- exec [--name NAME] HOST -- COMMAND [ARGUMENTS…]

Runs a command inside a host, with this terminal, and exits with its exit code. The programs of the lab are in its PATH.

${nameHelp}`,
  run: async (args) => {
    const at = args.indexOf('--')
    const command = at === -1 ? [] : args.slice(at + 1)
    const { values, positionals } = parse({
      args: at === -1 ? [...args] : args.slice(0, at),
      options: nameOption,
      allowPositionals: true,
    })
    const [name, ...more] = positionals
    if (name === undefined) throw new UsageError('a host is missing')
    if (command.length === 0 || more.length > 0) throw new UsageError('the command to run follows `--`')
    const host = (await openBed(values.name)).host(name)
    const terminal = process.env['TERM']
    return await runHere([...enter(host.pid), ...command], host.env(terminal === undefined ? {} : { TERM: terminal }))
  },
}

/** Signals that a terminal sends to all its foreground processes, so that the command gets them directly. */
const fromTerminal: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT']

/**
 * Runs a command that begins with one of `enter`'s.
 * Not through execa: it takes this process's place in the terminal's foreground. nsenter, which may stay in between,
 * must survive the signals that the terminal sends to all of them, and the command must not inherit that.
 */
export function runHere(argv: readonly string[], environment: NodeJS.ProcessEnv): Promise<number> {
  const names = fromTerminal.map((name) => name.slice(3)).join(',')
  const at = argv.indexOf('--') + 1
  const between = [...argv.slice(0, at), 'env', `--default-signal=${names}`, ...argv.slice(at)]
  const pass = (name: NodeJS.Signals): void => {
    if (process.stdin.isTTY && fromTerminal.includes(name)) return
    const own = child.pid ?? 0
    const [real = own] = childrenOf(own)
    if (real !== 0) signal(real, name)
  }
  // Before the command runs, which may tell somebody that it is ready for signals.
  for (const name of [...fromTerminal, 'SIGTERM', 'SIGHUP'] as const) process.on(name, pass)
  const child = spawn('env', [`--ignore-signal=${names}`, ...between], { stdio: 'inherit', env: environment })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code, name) => resolve(code ?? 128 + (name === null ? 0 : constants.signals[name])))
  })
}
