/** A header's name and value, in latin1, as they came. */
export type Header = readonly [name: string, value: string]

/** Pairs of a list in which names and values take turns. */
export const pairsOf = (raw: readonly string[]): Header[] =>
  raw.flatMap((name, index) => (index % 2 === 0 ? [[name, raw[index + 1] ?? ''] as const] : []))

/** Whom the API server is to take a request for. */
export type Identity = {
  readonly user: string
  readonly groups: readonly string[]
}

/** The identity to impersonate, and the credentials that allow it; without them, the caller's own go on. */
export type Impersonation = {
  readonly identity: Identity
  /** The value of Authorization. */
  readonly authorization: string
}

/** Concern one connection only (RFC 9110, 7.6.1), or were answered here (Expect). */
const ofConnection: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'expect',
])

/**
 * Where a request came from, as others claim: the API server would believe it. And the name of the server that the
 * caller meant: it is another one now, and by this name the client's TLS would verify it.
 */
const ofWay = /^(?:host|forwarded|x-forwarded-.*|x-real-ip)$/

/** What could authenticate, or act for others. `X-Remote-*` are those of front proxies. */
const ofIdentity = /^(?:authorization|impersonate-.*|x-remote-.*)$/

/**
 * The API server takes a token from here, too, whatever comes before it that Go takes for a space: that may be several
 * bytes.
 */
const protocols = 'sec-websocket-protocol'
export const tokenProtocol = /base64url\.bearer\.authorization\.k8s\.io\./i

/**
 * The headers that go on to the API server. What concerns the connection or the way is always removed, and with an
 * impersonation all that could authenticate or impersonate, whatever its case, also with `_` for `-`; the caller is
 * added last. `content-length` is for the client that sends them.
 */
export function outgoingHeaders(incoming: readonly Header[], impersonation: Impersonation | undefined): Header[] {
  const kept = incoming.filter(([name]) => {
    const lower = name.toLowerCase()
    return !lower.startsWith(':') && !ofConnection.has(lower) && !ofWay.test(lower)
  })
  if (impersonation === undefined) return kept
  const { identity, authorization } = impersonation
  return [
    ...kept
      .filter(([name]) => !ofIdentity.test(name.toLowerCase().replaceAll('_', '-')))
      .flatMap(([name, value]) =>
        name.toLowerCase() === protocols ? withoutTokens(name, value) : [[name, value] as const],
      ),
    ['Authorization', authorization],
    ['Impersonate-User', utf8(identity.user)],
    ...identity.groups.map((group) => ['Impersonate-Group', utf8(group)] as const),
  ]
}

function withoutTokens(name: string, value: string): Header[] {
  const left = value.split(',').filter((one) => !tokenProtocol.test(one))
  return left.length === 0 ? [] : [[name, left.join(',').trim()]]
}

/** The bytes of UTF-8, in the latin1 in which headers are written. */
const utf8 = (text: string): string => Buffer.from(text, 'utf8').toString('latin1')

/**
 * The headers of the API server's answer that go back, without those of the connection to it; names are in lower case.
 */
export const answeredHeaders = (
  headers: Readonly<Record<string, string | string[] | undefined>>,
): Record<string, string | string[]> =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined || ofConnection.has(name) ? [] : [[name, value] as const],
    ),
  )
