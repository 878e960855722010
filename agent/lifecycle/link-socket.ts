import { lstatSync, mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Log } from '../../lib/log.ts'
import type { Settings } from '../settings/settings.ts'
import { events } from './log-events.ts'

/**
 * Links the default socket path to TS_SOCKET, so that `tailscale` works without --socket. A failure is only logged.
 * Gives a function that removes the link.
 */
export function linkDefaultSocket({ root, socket }: Settings, log: Log): () => void {
  const link = `${root}/var/run/tailscale/tailscaled.sock`
  const nothing = (): void => {}
  if (socket === link) return nothing
  try {
    mkdirSync(dirname(link), { recursive: true, mode: 0o700 })
    // An existing link is left over from an earlier container; anything else belongs to somebody.
    if (lstatSync(link, { throwIfNoEntry: false })?.isSymbolicLink() === true) rmSync(link)
    symlinkSync(socket, link)
    return () => rmSync(link, { force: true })
  } catch (error) {
    log(events.noLink({ link, socket, problem: error }))
    return nothing
  }
}
