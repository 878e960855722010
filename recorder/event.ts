import { exactNumber, isJsonObject, type JsonObject, parseExactJson } from '../lib/json.ts'
import type { Peer } from './peers.ts'
import { Refused } from './refused.ts'

/** The most that an event may have, in bytes: it has the body of a request, which the API server takes up to 3 MiB. */
export const mostEventBytes = 16 * 1024 * 1024

/**
 * What is stored of an event, a request to an API server: what its uploader has sent, with the key as its ID, and with
 * the uploader as the destination, as tailscaled knows it. The IDs of users are larger than what a number holds.
 * @throws Refused 400 if it is none
 */
export function completeEvent(
  text: string,
  key: string,
  { id, name }: Pick<Peer, 'id' | 'name'>,
): { readonly event: JsonObject; readonly bytes: Buffer } {
  const event = parseExactJson(text)
  if (!isJsonObject(event)) throw new Refused(400, 'malformed', 'this is no event: it is no object of JSON')
  const whole = { ...event, id: key, destination: { node: name, nodeID: id } }
  const exact = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? exactNumber(value) : value)
  return { event: whole, bytes: Buffer.from(`${JSON.stringify(whole, exact)}\n`) }
}
