import { createInterface } from 'node:readline'
import type { Log } from '../../lib/log.ts'
import { CulvertError } from '../../lib/errors.ts'
import type { Settings } from '../settings/settings.ts'
import { setArguments, upArguments } from './arguments.ts'
import type { Spawn } from './spawn.ts'

/**
 * Runs `tailscale up` to its end; it returns once the node is running, or the login is refused. What it says is passed
 * on, without secrets.
 * @throws CulvertError `login` with its last words.
 */
export const runUp = (settings: Settings, spawn: Spawn, log: Log, signal: AbortSignal): Promise<void> =>
  run('up', upArguments(settings.socket, settings.up), settings, spawn, log, signal)

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
