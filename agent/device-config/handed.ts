import { rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Settings } from '../settings/settings.ts'
import type { FollowedConfig } from './source.ts'

/** Where the last good config is kept while what is mounted is not. */
const copyPath = ({ statusSocket }: Settings): string => join(dirname(statusSocket), 'culvert-last-good.hujson')

/**
 * The path to start tailscaled with: the mounted file, or while that was rejected a copy of the last good one, without
 * which a restarted tailscaled would refuse to start. Readable for this user alone: it may hold an auth key.
 */
export function handConfig({ current, rejected }: FollowedConfig, settings: Settings): string {
  if (rejected === undefined) return current.path
  const path = copyPath(settings)
  rmSync(path, { force: true })
  writeFileSync(path, current.bytes, { mode: 0o600, flag: 'wx' })
  return path
}

/** At the end, so that no key stays. */
export const discardCopy = (settings: Settings): void => rmSync(copyPath(settings), { force: true })

/** Brings what tailscaled reads to the newest: it goes on reading the path that it was started with. */
export function refreshCopy(path: string, { current }: FollowedConfig): void {
  if (path !== current.path) writeFileSync(path, current.bytes, { mode: 0o600 })
}
