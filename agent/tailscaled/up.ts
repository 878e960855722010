import { createInterface } from 'node:readline'
import type { Log } from '../../lib/log.ts'
import { CulvertError } from '../../lib/errors.ts'
import type { Settings } from '../settings/settings.ts'
import { upArguments } from './arguments.ts'
import type { Spawn } from './spawn.ts'

/**
 * Runs `tailscale up` to its end; it returns once the node is running, or the login is refused. What it says is passed
 * on, without secrets.
 * @throws CulvertError `login` with its last words.
 */
export async function runUp(settings: Settings, spawn: Spawn, log: Log, signal: AbortSignal): Promise<void> {
  const child = spawn('tailscale', upArguments(settings.socket, settings.up), { output: 'pipe', signal })
  const said: string[] = []
  const secrets = [settings.up.authKey, settings.up.clientSecret, settings.up.idToken].filter((value) => value !== '')
  const relay = async (stream: NodeJS.ReadableStream): Promise<void> => {
    for await (const line of createInterface({ input: stream })) {
      const text = secrets.reduce((rest, secret) => rest.replaceAll(secret, '(secret)'), line).trim()
      if (text === '') continue
      log(`tailscale up: ${text}`)
      said.push(text)
      if (said.length > 5) said.shift()
    }
  }
  const [exit] = await Promise.all([child.exited, ...child.output.map(relay)])
  if (exit.code === 0) return
  const reason = said.length > 0 ? said.join('; ') : exit.description
  throw new CulvertError('login', `tailscale up failed: ${reason}`)
}
