import { withPort } from '../lib/address.ts'
import type { Clock } from '../lib/clock.ts'
import { kept } from '../lib/kept.ts'
import { limited } from '../lib/limit.ts'
import { isLoopback, type Origin } from '../lib/proxy-header.ts'
import type { LocalApi } from '../localapi/client.ts'
import { LocalApiError } from '../localapi/error.ts'
import { askWhois, readWhois, type Whois } from '../localapi/whois.ts'
import { isNodeId } from './keys.ts'
import { Refused } from './refused.ts'

/** How long an answer counts, in milliseconds. */
const keptMs = 4000

/** The most answers that are kept, and the most questions at the same time. */
const [most, atOnce] = [10_000, 32]

/** A node of the tailnet that uploads, or looks. */
export type Peer = Pick<Whois, 'id' | 'name' | 'tags' | 'login' | 'capabilities'>

/** Asks who is at the other end of a connection. Throws a Refused if that is not known. */
export type AskPeer = (origin: Origin) => Promise<Peer>

/** Asks tailscaled; nothing else is believed. */
export function askPeer(
  api: Pick<LocalApi, 'get'>,
  clock: Clock,
  signal: AbortSignal,
  counted: (result: 'found' | 'refused' | 'failed') => void,
): AskPeer {
  const ask = async (origin: Origin): Promise<Peer> => {
    const { address } = origin
    try {
      const text = await askWhois(api, origin, signal)
      const peer = readWhois(text, isLoopback(address) ? 'of this machine' : address, clock.date())
      const { id, isExpired } = peer
      if (isExpired) throw new Refused(403, 'unknown-peer', 'the key of this device has expired')
      if (!isNodeId(id)) throw new Error('its stable ID is none')
      return peer
    } catch (error) {
      if (error instanceof Refused) throw error
      if (error instanceof LocalApiError && error.refusal?.status === 404)
        throw new Refused(403, 'unknown-peer', 'this device is not in the tailnet')
      throw new Refused(503, 'unconfirmed-peer', 'who this device is cannot be found out', error)
    }
  }
  const turn = limited(atOnce)
  const answers = kept<Peer>(clock, keptMs, most)
  const askCounted = async (origin: Origin): Promise<Peer> => {
    try {
      const peer = await turn(() => ask(origin))
      counted('found')
      return peer
    } catch (error) {
      counted(error instanceof Refused && error.status === 403 ? 'refused' : 'failed')
      throw error
    }
  }
  // The peer behind an address of this machine is known by the port.
  return (origin) =>
    answers.get(isLoopback(origin.address) ? withPort(origin.address, origin.port) : origin.address.text, () =>
      askCounted(origin),
    )
}
