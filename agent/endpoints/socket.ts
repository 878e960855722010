import { rmSync } from 'node:fs'
import type { Server } from 'node:http'
import { describe } from '../../lib/errors.ts'
import type { Log } from '../../lib/log.ts'
import { statusView } from '../status/status.ts'
import { listen, serve } from './http.ts'
import { type Observed, probes } from './probes.ts'

/** Opens the unix socket for status and readiness, for root alone. Failing is a warning: traffic does not depend on it. */
export async function openStatusSocket(
  path: string,
  { observed, version, log }: { observed: Observed; version: string; log: Log },
): Promise<Server | undefined> {
  const routes = {
    ...probes(observed),
    '/status': () => ({ status: 200, body: JSON.stringify(statusView(observed.world(), version)) }),
  }
  try {
    // One agent runs in a container: a socket that is there was left by an earlier one.
    rmSync(path, { force: true })
    // The socket is made within the call of listen, so the mask holds for nothing else.
    const mask = process.umask(0o177)
    const opening = listen(serve(routes), { path })
    process.umask(mask)
    return await opening
  } catch (error) {
    log(`warning: the status socket ${path} cannot be opened: ${describe(error)}; CULVERT_SOCKET sets its path`)
    return undefined
  }
}
