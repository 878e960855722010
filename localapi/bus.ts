import { collectLines } from '../lib/lines.ts'
import { catchUp } from './catch-up.ts'
import type { LocalApi } from './client.ts'
import { type Notification, notifyReader } from './notify.ts'
import { getStatus, type Wanted } from './status.ts'

/**
 * Initial state, prefs and health (bits 1, 2 and 7 of ipn.NotifyWatchOpt), no private keys (bit 4, which
 * daemons of 1.80 ask of those that may not write), and no netmaps (bit 13) where those are not all there is. It is one
 * for all generations of the protocol, because none is asked for a first netmap or status of the bus: each holds every
 * peer, which at 10,000 of them is 10 MB. `status` can leave the peers out.
 */
const mask = 2 + 4 + 16 + 128 + 8192
/** Changes of peers (bit 12). What 1.98 tells instead of a netmap then is nothing that is held of a peer. */
const peerChanges = 4096

/** For the status that goes with the first message, in ms; and with all peers. */
const statusTimeout = 5000
const peersTimeout = 15_000

/**
 * Watches tailscaled's bus once: yields each notification until the stream ends or `signal` aborts. The first one holds
 * the whole state. What cannot be read goes to `rejected`; the stream goes on.
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
  /** Asked once the watch stands, so that no change is lost in between. */
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

/** The messages that could be read, the first with the status; partial where there is none. */
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
