import { type Header, tokenProtocol } from '../headers.ts'
import { requestInfo } from '../request-info.ts'
import type { Received } from '../well-formed.ts'
import type { Protocol } from './readers.ts'

/** A session in a container of a Pod, which can be recorded. */
export type Session = {
  readonly protocol: Protocol
  readonly type: 'exec' | 'attach'
  readonly namespace: string
  readonly pod: string
  /** Empty: the Pod's default one. */
  readonly container: string
  readonly command: readonly string[]
}

/** As every client writes it. Another spelling of the same, which the API server may understand, is none here. */
const goodPath = /^\/api\/v1\/namespaces\/[a-z0-9-]+\/pods\/[a-z0-9.-]+\/(exec|attach)(?:\?|$)/

/** The subprotocols whose messages begin with a byte for the channel; in others, the channel is a letter. */
const goodProtocol = /^(?:v[1-5]\.)?channel\.k8s\.io$/

/**
 * The session that a request begins, if it can be recorded; undefined for everything else, such as ports that are
 * forwarded.
 */
export function sessionOf(
  { method, target, headers }: Pick<Received, 'method' | 'target' | 'headers'>,
  { upgrade }: { readonly upgrade: string | undefined },
): Session | undefined {
  const [, type] = goodPath.exec(target) ?? []
  if (type !== 'exec' && type !== 'attach') return undefined
  const protocol = protocolOf(method, upgrade, headers)
  if (protocol === undefined) return undefined
  const { resource } = requestInfo(method, target)
  const query = new URL(target, 'http://kube').searchParams
  return {
    protocol,
    type,
    namespace: resource?.namespace ?? '',
    pod: resource?.object ?? '',
    container: query.get('container') ?? '',
    command: query.getAll('command'),
  }
}

function protocolOf(method: string, upgrade: string | undefined, headers: readonly Header[]): Protocol | undefined {
  if (method === 'POST' && upgrade === 'SPDY/3.1') return upgrade
  return method === 'GET' && upgrade === 'websocket' && hasBytes(headers) ? upgrade : undefined
}

/** Whether the channel is a byte in each subprotocol that the API server could choose. */
function hasBytes(headers: readonly Header[]): boolean {
  const asked = headers
    .filter(([name]) => name.toLowerCase() === 'sec-websocket-protocol')
    .flatMap(([, value]) => value.split(','))
    .map((one) => one.trim())
    // A token is never agreed on.
    .filter((one) => !tokenProtocol.test(one))
  return asked.length > 0 && asked.every((one) => goodProtocol.test(one))
}
