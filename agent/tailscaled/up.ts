import { createInterface } from 'node:readline'
import type { Log } from '../../lib/log.ts'
import { CulvertError, describe } from '../../lib/errors.ts'
import type { Settings } from '../settings/settings.ts'
import { setArguments, upArguments } from './arguments.ts'
import type { Spawn } from './spawn.ts'

/** How `tailscale up` refuses to leave settings alone that a node's state has and its arguments do not name. */
const mustName = /requires mentioning all non-default flags/

/**
 * Runs `tailscale up` to its end; it returns once the node is running, or the login is refused. What it says is passed
 * on, without secrets. Settings that an earlier run made and this one does not are reset: the environment is what counts.
 * @throws CulvertError `login` with its last words.
 */
export async function runUp(settings: Settings, spawn: Spawn, log: Log, signal: AbortSignal): Promise<void> {
  const { socket, up } = settings
  try {
    await run('up', upArguments(socket, up), settings, spawn, log, signal)
  } catch (error) {
    if (signal.aborted || !mustName.test(describe(error))) throw error
    log('the node has settings of an earlier run that are not set any more: they are reset')
    await run('up', upArguments(socket, up, true), settings, spawn, log, signal)
  }
}

/** Runs `tailscale set` to its end, as `runUp`. */
export const runSet = (settings: Settings, spawn: Spawn, log: Log, signal: AbortSignal): Promise<void> =>
  run('set', setArguments(settings.socket, settings.up), settings, spawn, log, signal)

async function run(
  command: string,
  args: readonly string[],
  { up }: Settings,
  spawn: Spawn,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const child = spawn('tailscale', args, { output: 'pipe', signal })
  const said: string[] = []
  const secrets = [up.authKey, up.clientSecret, up.idToken].filter((value) => value !== '')
  const relay = async (stream: NodeJS.ReadableStream): Promise<void> => {
    for await (const line of createInterface({ input: stream })) {
      const text = secrets.reduce((rest, secret) => rest.replaceAll(secret, '(secret)'), line).trim()
      if (text === '') continue
      log(`tailscale ${command}: ${text}`)
      said.push(text)
      if (said.length > 5) said.shift()
    }
  }
  const [exit] = await Promise.all([child.exited, ...child.output.map(relay)])
  if (exit.code === 0) return
  const reason = said.length > 0 ? said.join('; ') : exit.description
  throw new CulvertError('login', `tailscale ${command} failed: ${reason}`)
}
