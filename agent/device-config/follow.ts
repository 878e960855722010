import { basename } from 'node:path'
import { watchDirectory } from '../../lib/directory.ts'
import { describe } from '../../lib/errors.ts'
import type { Mounted } from '../world/mounted.ts'
import type { DeviceConfig } from '../world/world.ts'
import { findConfigFile, readConfigFile } from './read.ts'

export type DeviceConfigOptions = {
  readonly directory: string
  /** The capability version of tailscaled. */
  readonly version: number
  /** What tailscaled was started with. */
  readonly initial: DeviceConfig
  /** Called for each change of the bytes, or of the reason why they are rejected. */
  readonly publish: (file: Mounted<DeviceConfig>) => void
  /** Called with the reason why the directory cannot be watched. */
  readonly report: (problem: string) => void
  readonly rereadMs: number
}

/**
 * Follows the config file until `signal` aborts, changes since `initial` was read included. tailscaled keeps reading
 * the path that it was started with: if another file would be chosen now, `rejected` asks for a restart, and the first
 * file is still followed.
 */
export async function followDeviceConfig(
  { directory, version, initial, publish, report, rereadMs }: DeviceConfigOptions,
  signal: AbortSignal,
): Promise<void> {
  let known: Mounted<DeviceConfig> = { content: initial }
  const look = async (): Promise<void> => {
    const next = await lookAgain(known.content, directory, version)
    if (signal.aborted || (next.content === known.content && next.rejected === known.rejected)) return
    known = next
    publish(known)
  }
  await watchDirectory(directory, look, { rereadMs, report, signal })
}

async function lookAgain(last: DeviceConfig, directory: string, version: number): Promise<Mounted<DeviceConfig>> {
  let content = last
  let rejected: string | undefined
  try {
    const newest = await readConfigFile(last)
    if (!newest.bytes.equals(last.bytes)) content = newest
  } catch (error) {
    rejected = describe(error)
  }
  try {
    const { path } = await findConfigFile(directory, version)
    if (path !== last.path) {
      rejected =
        `${basename(path)} is now the config file to use, but tailscaled was started with ${basename(last.path)} ` +
        'and reads no other. Restart the Pod.'
    }
  } catch (error) {
    rejected ??= describe(error)
  }
  return { content, ...(rejected !== undefined && { rejected }) }
}
