import { dirname } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { watchDirectory } from '../lib/directory.ts'
import { describe } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import { readSmallFile } from '../lib/read-file.ts'
import { type ApiProxyConfig, parseApiProxyConfig } from '../wire/api-proxy-config.ts'
import type { Settings } from './settings.ts'
import { events } from './log-events.ts'

/** As large as a Secret can be. */
const maxBytes = 1024 * 1024
const rereadMs = 30_000

type Changed = (now: ApiProxyConfig, before: ApiProxyConfig) => void

/** The config that is in force. */
export type Config = {
  readonly now: () => ApiProxyConfig
  /** Follows the file, if there is one, until `signal` aborts; calls `changed` after each change. */
  readonly follow: (changed: Changed, signal: AbortSignal) => Promise<void>
}

/**
 * Reads the config. A file that later cannot be used leaves the last good one in force.
 * @throws CulvertError `settings` or Error of the system if there is none to begin with
 */
export async function readConfig(config: Settings['config'], log: Log): Promise<Config> {
  if ('mode' in config) {
    const fixed: ApiProxyConfig = { mode: config.mode, serviceNames: [] }
    return { now: () => fixed, follow: async () => {} }
  }
  const { path } = config
  const read = async (): Promise<ApiProxyConfig> => parseApiProxyConfig(path, await readSmallFile(path, maxBytes))
  let current = await read()
  let problem: string | undefined
  const reread = async (changed: Changed): Promise<void> => {
    try {
      const found = await read()
      if (problem !== undefined) log(events.configUsable({ path }))
      problem = undefined
      if (isDeepStrictEqual(found, current)) return
      const before = current
      current = found
      const mode = found.mode ?? 'switched off'
      const [service] = found.serviceNames
      log(service === undefined ? events.config({ mode }) : events.configAs({ mode, service }))
      changed(found, before)
    } catch (error) {
      const found = describe(error)
      if (found !== problem) log(events.configUnusable({ problem: found }))
      problem = found
    }
  }
  const report = (text: string): void => log(events.configUnwatched({ problem: text }))
  return {
    now: () => current,
    follow: (changed, signal) => watchDirectory(dirname(path), () => reread(changed), { rereadMs, report, signal }),
  }
}
