import { collectLines } from '../lib/lines.ts'
import { catchUp } from './catch-up.ts'
import type { LocalApi } from './client.ts'
import { type Notification, notifyReader } from './notify.ts'
import { getStatus, type Wanted } from './status.ts'

/**
 * Initial state, prefs and health (bits 1, 2 and 7 of ipn.NotifyWatchOpt), no private keys (bit 4, which daemons of
 * 1.80 require from clients that may not write), and no netmaps (bit 13) if changes are sent separately. One mask works
 * for all protocol versions, because the first netmap or status is never requested on the bus: each holds every peer,
 * 10 MB at 10,000 of them. `status` can leave the peers out.
 */
const mask = 2 + 4 + 16 + 128 + 8192
/** Changes of peers (bit 12). In 1.98 these replace the netmap, but contain nothing that the agent keeps of a peer. */
const peerChanges = 4096

/** For the status that belongs to the first message, in ms; and for one with all peers. */
const statusTimeout = 5000
const peersTimeout = 15_000

/**
 * Watches tailscaled's bus once: yields each notification until the stream ends or `signal` aborts. The first one has
 * the whole state. Unreadable messages go to `rejected`; the stream continues.
 * @throws CulvertError `localapi` when the watch cannot be opened, or breaks.
 */
export async function* watchBus(
  api: LocalApi,
  wanted: Wanted,
  signal: AbortSignal,
  rejected: (error: unknown) => void,
): AsyncGenerator<Notification> {
  const line = notifyReader(wanted)
  const end = (): Notification | undefined => {
    try {
      return line.end()
    } catch (error) {
      rejected(error)
      return undefined
    }
  }
  /** Requested once the watch is open, so that no change is lost in between. */
  const status = async (): Promise<Notification | undefined> => {
    try {
      return await getStatus(api, wanted, signal, wanted.peers ? peersTimeout : statusTimeout)
    } catch (error) {
      if (!signal.aborted) rejected(error)
      return undefined
    }
  }
  const stream = await api.stream(`watch-ipn-bus?mask=${wanted.peers ? mask + peerChanges : mask}`, signal)
  const messages = beginWith(status, collectLines(stream, { push: line.push, end }))
  yield* wanted.peers || wanted.certDomains === true ? catchUp(messages, status, signal) : messages
}

/** The readable messages, the first with the status; partial if there is none. */
async function* beginWith(
  status: () => Promise<Notification | undefined>,
  messages: AsyncIterable<Notification | undefined>,
): AsyncGenerator<Notification> {
  let first = true
  for await (const message of messages) {
    if (message === undefined) continue
    yield first && !message.initial ? { ...message, ...((await status()) ?? { partial: true as const }) } : message
    first = false
  }
}
