import { isJsonObject, parseJson } from '../../lib/json.ts'
import type { Clock } from '../../lib/clock.ts'
import { kept } from '../../lib/kept.ts'
import type { LocalApi } from '../../localapi/client.ts'
import { textIn, textsIn } from '../cast/header.ts'
import { Refused } from '../refused.ts'

/** A node of the tailnet: its full name without a trailing dot, and its tags. */
export type Node = { readonly name: string; readonly tags: readonly string[] }

/** By stable ID: those that this one sees now. */
export type Nodes = ReadonlyMap<string, Node>

/** How long they count, in milliseconds. */
const keptMs = 15_000

/** Reads tailscaled's status, in which nodes are by their keys. */
export function readNodes(text: string): Nodes {
  const status = parseJson(text)
  if (!isJsonObject(status)) throw new Error('it is no object of JSON')
  const peers = isJsonObject(status['Peer']) ? Object.values(status['Peer']) : []
  return new Map(
    [status['Self'], ...peers]
      .filter(isJsonObject)
      .map((one) => [
        textIn(one, 'ID'),
        { name: textIn(one, 'DNSName').replace(/\.$/, ''), tags: textsIn(one, 'Tags') },
      ]),
  )
}

/** Asks tailscaled for the nodes. Rejects with a Refused if it does not say. */
export function askNodes(api: Pick<LocalApi, 'get'>, clock: Clock, signal: AbortSignal): () => Promise<Nodes> {
  const answers = kept<Nodes>(clock, keptMs, 1)
  const ask = async (): Promise<Nodes> => readNodes(await api.get('status', signal))
  return async () => {
    try {
      return await answers.get('', ask)
    } catch (error) {
      throw new Refused(503, 'unconfirmed-peer', 'which nodes there are cannot be found out', error)
    }
  }
}
