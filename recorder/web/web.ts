import { join } from 'node:path'
import type { AddressPort } from '../../lib/address.ts'
import type { Clock } from '../../lib/clock.ts'
import { kept } from '../../lib/kept.ts'
import type { Log } from '../../lib/log.ts'
import type { LocalApi } from '../../localapi/client.ts'
import type { Index } from '../index/index.ts'
import { events } from '../log-events.ts'
import type { Counts } from '../metrics.ts'
import type { AskPeer, Peer } from '../peers.ts'
import type { Refused } from '../refused.ts'
import { Servers } from '../servers.ts'
import type { Store } from '../store/store.ts'
import type { Uploads } from '../uploads.ts'
import { readAssets } from './assets.ts'
import { browse } from './exchange.ts'
import { askNodes } from './nodes.ts'

/** How often it is told that somebody follows a session, in milliseconds, and of how many that is known. */
const [followMs, mostFollowed] = [3_600_000, 10_000]

export type Outside = {
  readonly api: Pick<LocalApi, 'get'>
  readonly askPeer: AskPeer
  readonly index: Index
  readonly requests: Index
  readonly isComplete: () => boolean
  readonly store: Pick<Store, 'open'>
  readonly uploads: Pick<Uploads, 'find'>
  readonly counts: Pick<Counts, 'answered' | 'read'>
  readonly clock: Clock
  readonly log: Log
  /** Writes a line of JSON for what somebody has read. */
  readonly print: (text: string) => void
}

/**
 * Serves the web page for tailscaled, whose connections begin with a PROXY header: nobody else says who looks.
 * @throws CulvertError if its files are missing; Error of the system if it cannot listen there
 */
export async function serveWeb(listen: AddressPort, outside: Outside, signal: AbortSignal): Promise<Servers> {
  const { api, clock, counts, log, print } = outside
  const refused = (one: Refused): void => {
    if (one.cause !== undefined) log(events.pageFailed({ problem: one }))
  }
  const followed = kept<void>(clock, followMs, mostFollowed)
  const read = (key: string, by: Peer, follows = false): void => {
    if (!follows) tell(key, by)
    void followed.get(`${by.id} ${by.login ?? ''} ${key}`, async () => {
      if (follows) tell(key, by)
    })
  }
  const tell = (key: string, by: Peer): void => {
    counts.read()
    const { name, login, tags } = by
    const whose = tags.length > 0 ? { tags } : { user: login }
    print(`${JSON.stringify({ time: clock.date().toISOString(), stage: 'read', key, by: name, ...whose })}\n`)
  }
  const parts = {
    ...outside,
    askNodes: askNodes(api, clock, signal),
    served: await readAssets(join(import.meta.dirname, 'recorder-web')),
    answered: counts.answered,
    read,
    refused,
  }
  const servers = new Servers({ take: (incoming) => void browse(incoming, parts), refused }, true)
  const port = await servers.listen(listen.host, listen.port)
  log(events.servesPage({ address: `${listen.host}:${port}` }))
  return servers
}
