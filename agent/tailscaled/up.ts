import { createInterface } from 'node:readline'
import type { Log } from '../../lib/log.ts'
import type { Settings, UpSettings } from '../settings/settings.ts'
import { lateFlags, setArguments, upArguments } from './arguments.ts'
import type { Spawn } from './spawn.ts'
import { explainFailure, type UpFailure } from './up-failure.ts'
import { login } from './log-events.ts'

/**
 * Gives why it failed; undefined if it succeeded. Never rejects; the result means nothing after `signal` has aborted.
 */
export type LoginCommand = (
  settings: Settings,
  spawn: Spawn,
  log: Log,
  signal: AbortSignal,
) => Promise<UpFailure | undefined>

/**
 * Runs `tailscale up` to its end: the node is running, or the login was refused. Its output is logged without secrets.
 * Settings of an earlier run that the environment does not have any more are reset.
 */
export const runUp: LoginCommand = async (settings, spawn, log, signal) => {
  const { socket, up } = settings
  const failure = await run('up', upArguments(socket, up), settings, spawn, log, signal)
  if (signal.aborted || failure?.kind !== 'reverts') return failure
  const flags = failure.flags.length === 0 ? 'settings of an earlier run' : failure.flags.join(' ')
  log(login.reset({ flags }))
  return run('up', upArguments(socket, up, true), settings, spawn, log, signal)
}

/** Runs `tailscale set` to its end, which changes the settings of a node that is logged in. */
export const runSet: LoginCommand = async (settings, spawn, log, signal) => {
  const { socket, up } = settings
  const late = lateFlags(up)
  if (late.length > 0) {
    log(login.atLoginOnly({ flags: late.join(' ') }))
  }
  return run('set', setArguments(socket, up), settings, spawn, log, signal)
}

/** Limit for logged lines: after the reason tailscale prints its whole usage. */
const most = 12

async function run(
  command: 'up' | 'set',
  args: readonly string[],
  { up }: Settings,
  spawn: Spawn,
  log: Log,
  signal: AbortSignal,
): Promise<UpFailure | undefined> {
  const child = spawn('tailscale', args, { output: 'pipe', signal })
  const [first, last]: [string[], string[]] = [[], []]
  let printed = 0
  const hide = hider(up)
  const relay = async (stream: NodeJS.ReadableStream): Promise<void> => {
    for await (const line of createInterface({ input: stream })) {
      const text = hide(line).trim()
      if (text === '') continue
      printed += 1
      if (printed <= most) log(login.output({ command, line: text }))
      if (first.length < most) first.push(text)
      last.push(text)
      if (last.length > 5) last.shift()
    }
  }
  const [exit] = await Promise.all([child.exited, ...child.output.map(relay)])
  return exit.code === 0 ? undefined : explainFailure(command, { first, last }, exit.description, up)
}

/**
 * Removes secrets from a line: those of their own variables, those in the extra arguments, and everything that looks
 * like a key.
 */
function hider({ authKey, clientSecret, idToken, extraArgs }: UpSettings): (line: string) => string {
  const extra = extraArgs.flatMap((word) => /^--?(?:auth-?key|client-secret|id-token)=(.+)$/.exec(word)?.[1] ?? [])
  const secrets = [authKey, clientSecret, idToken, ...extra].filter(
    (value) => value !== '' && !value.startsWith('file:'),
  )
  return (line) =>
    secrets
      .reduce((rest, secret) => rest.replaceAll(secret, '(secret)'), line)
      .replaceAll(/\btskey-[\w-]+/g, '(secret)')
}
