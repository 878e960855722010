/**
 * A fault between clients and the certificate authority. `on` selects the requests: those for new orders, or all when
 * left out. A refusal concerns connections, and therefore all requests.
 */
export type AcmeFault =
  | ({
      readonly kind: 'rate-limited'
      /** The Retry-After header: seconds, or an HTTP date; none when left out. */
      readonly retryAfter?: number | string
    } & Scope)
  | ({ readonly kind: 'error'; readonly status: number } & Scope)
  /** Answers this many milliseconds late. */
  | ({ readonly kind: 'slow'; readonly ms: number } & Scope)
  /** Accepts requests, and never answers. */
  | ({ readonly kind: 'silent' } & Scope)
  | { readonly kind: 'refuse' }

type Scope = { readonly on?: 'newOrder' }

/** An order that the authority accepted. */
export type AcmeOrder = {
  readonly domains: readonly string[]
  /** Milliseconds since 1970. */
  readonly at: number
  /** Whether its certificate was issued. */
  readonly issued: boolean
}

export type AcmeRequest = {
  readonly at: number
  /** Its name in the authority's directory, such as `newOrder`; otherwise its path. */
  readonly resource: string
  /** The status of the answer; undefined without an answer. */
  readonly status?: number
}

export type Journal = { readonly orders: readonly AcmeOrder[]; readonly requests: readonly AcmeRequest[] }

type Answer = { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: string }

/** Whether a fault applies to requests for this resource. */
export function appliesTo(fault: AcmeFault | undefined, resource: string): fault is AcmeFault {
  return fault !== undefined && (fault.kind === 'refuse' || fault.on === undefined || fault.on === resource)
}

/** What a fault answers instead of the authority (RFC 8555 §6.7), if it answers. */
export function answerOf(fault: AcmeFault): Answer | undefined {
  if (fault.kind !== 'rate-limited' && fault.kind !== 'error') return undefined
  const limited = fault.kind === 'rate-limited'
  const [status, type, detail] = limited
    ? [429, 'rateLimited', 'too many certificates were asked for']
    : [fault.status, 'serverInternal', 'the authority is being looked after']
  const wait = limited && fault.retryAfter !== undefined ? { 'retry-after': String(fault.retryAfter) } : {}
  return {
    status,
    headers: { 'content-type': 'application/problem+json', ...wait },
    body: JSON.stringify({ type: `urn:ietf:params:acme:error:${type}`, detail, status }),
  }
}
