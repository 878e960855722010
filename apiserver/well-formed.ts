import { type Header } from './headers.ts'
import { Refused } from './refused.ts'

/** A request as it came, of either version of HTTP. */
export type Received = {
  /** `1.0`, `1.1` or `2`: nobody else may call it so, since pseudo headers are allowed then. */
  readonly version: string
  readonly method: string
  /** The target as it was written. */
  readonly target: string
  readonly headers: readonly Header[]
  /** Of HTTP/2: whether nothing follows the headers. */
  readonly isWhole?: boolean
}

/** What goes on of a request's frame. */
export type Frame = {
  /** The protocol to which the connection is to change. */
  readonly upgrade: string | undefined
  readonly hasBody: boolean
}

/** The methods of Kubernetes, and those that clients use on what runs in it, through its proxies. */
const methods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

/** To what clients change: `kubectl exec` and what is like it. */
const upgrades: ReadonlyMap<string, string> = new Map([
  ['spdy/3.1', 'SPDY/3.1'],
  ['websocket', 'websocket'],
])

/** Which headers `Connection` may name: others would be removed in between, and some say whom a request is for. */
const nominated: ReadonlySet<string> = new Set(['close', 'keep-alive', 'upgrade', 'te'])

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const goodValue = /^[\t\x20-\x7e\x80-\xff]*$/
const goodTarget = /^\/[\x21-\x22\x24-\x7e]*$/

/**
 * Checks what two servers could understand differently, beyond what Node's parsers check, so that nothing can be
 * smuggled past this one.
 * @throws Refused
 */
export function checkFrame({ version, method, target, headers, isWhole = true }: Received): Frame {
  const malformed = (what: string): Refused => new Refused(400, 'malformed', what)
  const all = (name: string): string[] =>
    headers.flatMap(([one, value]) => (one.toLowerCase() === name ? [value.trim()] : []))

  const isHttp2 = version === '2'
  if (!isHttp2 && version !== '1.1' && version !== '1.0') throw malformed('this version of HTTP is not served')
  if (!methods.has(method)) throw new Refused(405, 'malformed', 'this method is not passed on')
  if (!goodTarget.test(target)) throw malformed('the target of the request is no path')
  for (const [name, value] of headers) {
    if (!(isHttp2 && name.startsWith(':')) && !token.test(name)) throw malformed('a header has a bad name')
    // Only HTTP/1 allows spaces around a value.
    if (!goodValue.test(value) || (isHttp2 && /^[\t ]|[\t ]$/.test(value))) throw malformed('a header has a bad value')
  }
  const hosts = [...all('host'), ...all(':authority')].map((one) => one.toLowerCase())
  if (hosts.length === 0 || new Set(hosts).size > 1 || all('host').length > 1)
    throw malformed('the request must name one host')

  const [lengths, codings] = [all('content-length'), all('transfer-encoding')]
  if (lengths.length > 1 || lengths.some((one) => !/^\d{1,15}$/.test(one))) throw malformed('bad Content-Length')
  if (codings.length > 1 || codings.some((one) => version !== '1.1' || one.toLowerCase() !== 'chunked'))
    throw malformed('bad Transfer-Encoding')
  if (lengths.length + codings.length > 1) throw malformed('both Content-Length and Transfer-Encoding')
  const isOther = (one: string): boolean => !nominated.has(one.trim().toLowerCase())
  if (all('connection').some((value) => value.split(',').some(isOther)))
    throw malformed('Connection may not name other headers')
  const expected = all('expect')
  if (expected.some((one) => one.toLowerCase() !== '100-continue'))
    throw new Refused(417, 'malformed', 'this expectation cannot be met')

  const hasBody = !isWhole || codings.length > 0 || lengths.some((one) => Number(one) > 0)
  const asked = all('upgrade')
  if (asked.length === 0) return { upgrade: undefined, hasBody }
  const upgrade = asked.length === 1 ? upgrades.get(asked[0]!.toLowerCase()) : undefined
  if (upgrade === undefined) throw malformed('the connection can only change to SPDY/3.1 or websocket')
  if (hasBody) throw malformed('a request to change the protocol may have no body')
  return { upgrade, hasBody }
}
