import { RefusedWith } from '../lib/refused.ts'

/** The statuses by which requests are refused here, with the word that Kubernetes has for each. */
const reasons = {
  400: 'BadRequest',
  403: 'Forbidden',
  405: 'MethodNotAllowed',
  413: 'RequestEntityTooLarge',
  417: 'BadRequest',
  429: 'TooManyRequests',
  431: 'BadRequest',
  500: 'InternalError',
  502: 'BadGateway',
  503: 'ServiceUnavailable',
} as const

export type RefusedStatus = keyof typeof reasons

/** Why nothing is passed on: one of a few words, for metrics. */
export type RefusedFor =
  | 'malformed' // the request could be understood in two ways, or not at all
  | 'unknown-peer' // tailscaled knows nobody at the address
  | 'unconfirmed-peer' // tailscaled could not be asked
  | 'policy' // the tailnet's policy does not allow it, or cannot be read
  | 'foreign-page' // a page of another site, in a browser on the device
  | 'disabled' // the proxy is switched off
  | 'credentials' // the proxy has no token or authority to trust
  | 'recorder' // it must be recorded, and no recorder takes it
  | 'limit' // the peer has too many open already
  | 'upstream' // the API server did not answer
  | 'internal' // a bug in the proxy

/** A request that is not passed on. */
export class Refused extends RefusedWith<RefusedStatus, RefusedFor> {}

/** What is sent instead of the API server's answer. */
type Refusal = { readonly body: string; readonly headers: Readonly<Record<string, string | number>> }

/**
 * The answer to a request that is refused: a `Status`, which clients of Kubernetes show, and ask again after so many
 * seconds. `accept`: that header of the request. kubectl and others begin by asking which resources there are, and show
 * only a plain text of the answer to that.
 */
export function refusalOf({ status, message }: Pick<Refused, 'status' | 'message'>, accept = ''): Refusal {
  const said = `culvert: ${message}`
  const isDiscovery = accept.includes('as=APIGroupDiscoveryList')
  const failure = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure' }
  const body = isDiscovery ? said : JSON.stringify({ ...failure, message: said, reason: reasons[status], code: status })
  return {
    body: `${body}\n`,
    headers: {
      'content-type': isDiscovery ? 'text/plain; charset=utf-8' : 'application/json',
      'content-length': Buffer.byteLength(body) + 1,
      'cache-control': 'no-cache, private',
      ...(status === 429 && { 'retry-after': 1 }),
    },
  }
}

/** An error as a refusal; what is not one is a bug, of which the caller learns nothing. */
export const asRefused = (error: unknown): Refused =>
  error instanceof Refused ? error : new Refused(500, 'internal', 'the request could not be passed on', error)
