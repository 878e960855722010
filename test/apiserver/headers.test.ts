import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { answeredHeaders, type Header, type Impersonation, outgoingHeaders, pairsOf } from '../../apiserver/headers.ts'

const alice: Impersonation = {
  identity: { user: 'alice@example.com', groups: ['devs', 'tag:x'] },
  authorization: 'Bearer proxy-token',
}
const added: Header[] = [
  ['Authorization', 'Bearer proxy-token'],
  ['Impersonate-User', 'alice@example.com'],
  ['Impersonate-Group', 'devs'],
  ['Impersonate-Group', 'tag:x'],
]
const kept: Header = ['Accept', 'application/json']

/** What happens to a header in the two modes; `true`: it goes on as it is. */
const table: readonly [header: Header, auth: boolean, noauth: boolean][] = [
  [['Accept', '*/*'], true, true],
  [['User-Agent', 'kubectl/v1.36'], true, true],
  [['Content-Type', 'application/json'], true, true],
  [['Content-Length', '5'], true, true],
  [['Accept-Encoding', 'gzip'], true, true],
  [['Audit-ID', 'x'], true, true],
  [['X-Stream-Protocol-Version', 'v4.channel.k8s.io'], true, true],
  [['Sec-WebSocket-Protocol', 'v5.channel.k8s.io'], true, true],
  [['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='], true, true],
  [['Cookie', 'a=b'], true, true],
  // What authenticates, and what acts for others.
  [['Authorization', 'Bearer stolen'], false, true],
  [['authorization', 'Basic eDp5'], false, true],
  [['AUTHORIZATION', ''], false, true],
  [['Impersonate-User', 'system:admin'], false, true],
  [['impersonate-user', 'system:admin'], false, true],
  [['iMPERSONATE-gROUP', 'system:masters'], false, true],
  [['Impersonate-Uid', '0'], false, true],
  [['Impersonate-Extra-Scopes', 'all'], false, true],
  [['impersonate-extra-%73copes', 'all'], false, true],
  [['Impersonate-', 'x'], false, true],
  [['Impersonate-Anything-New', 'x'], false, true],
  [['Impersonate_User', 'system:admin'], false, true],
  [['X-Remote-User', 'system:admin'], false, true],
  [['x-remote-group', 'system:masters'], false, true],
  [['X-Remote-Extra-Scopes', 'all'], false, true],
  [['Sec-WebSocket-Protocol', 'base64url.bearer.authorization.k8s.io.c3RvbGVu'], false, true],
  // Behind what is a space to Go: U+00A0 and U+0085 in UTF-8.
  [['Sec-WebSocket-Protocol', '\xc2\xa0base64url.bearer.authorization.k8s.io.c3RvbGVu'], false, true],
  [['Sec-WebSocket-Protocol', '\xc2\x85base64url.bearer.authorization.k8s.io.c3RvbGVu'], false, true],
  // What concerns the connection.
  [['Connection', 'keep-alive'], false, false],
  [['Keep-Alive', 'timeout=5'], false, false],
  [['Proxy-Connection', 'keep-alive'], false, false],
  [['Proxy-Authorization', 'Basic eDp5'], false, false],
  [['Proxy-Authenticate', 'Basic'], false, false],
  [['TE', 'trailers'], false, false],
  [['Trailer', 'Impersonate-User'], false, false],
  [['Transfer-Encoding', 'chunked'], false, false],
  [['Upgrade', 'SPDY/3.1'], false, false],
  [['HTTP2-Settings', 'AAMAAABkAAQAAP__'], false, false],
  [['Expect', '100-continue'], false, false],
  // What others claim of the way.
  [['Host', 'evil.example.com'], false, false],
  [[':authority', 'evil.example.com'], false, false],
  [[':path', '/api'], false, false],
  [['Forwarded', 'for=10.0.0.1'], false, false],
  [['X-Forwarded-For', '10.0.0.1'], false, false],
  [['X-Forwarded-Host', 'x'], false, false],
  [['X-Forwarded-Proto', 'http'], false, false],
  [['x-forwarded-anything', 'x'], false, false],
  [['X-Real-IP', '10.0.0.1'], false, false],
]

describe('the headers that go on', () => {
  it.each(table)('%j', (header, auth, noauth) => {
    const others = [kept, header, kept, header]
    const left = (is: boolean): Header[] => (is ? others : [kept, kept])
    expect(outgoingHeaders(others, alice)).toEqual([...left(auth), ...added])
    expect(outgoingHeaders(others, undefined)).toEqual(left(noauth))
  })

  it('with an impersonation, name nobody else, however they came', () => {
    const disguise = fc
      .tuple(
        fc.constantFrom('authorization', 'impersonate-user', 'impersonate-group', 'impersonate-uid', 'x-remote-user'),
        fc.array(fc.boolean(), { minLength: 20, maxLength: 20 }),
        fc.constantFrom('', '-x', '_x', '-Extra-scopes'),
        fc.constantFrom('-', '_'),
      )
      .map(([name, upper, tail, dash]) =>
        Array.from(name + tail, (letter, at) => (upper[at] === true ? letter.toUpperCase() : letter))
          .join('')
          .replaceAll('-', dash),
      )
      .filter((name) => !/^authorization.+/i.test(name))
    fc.assert(
      fc.property(fc.array(fc.tuple(disguise, fc.string())), (headers) => {
        expect(outgoingHeaders(headers, alice)).toEqual(added)
      }),
    )
  })

  it('keep a subprotocol beside a token, in whatever order', () => {
    const header: Header = [
      'sec-websocket-protocol',
      'v4.channel.k8s.io, base64url.bearer.Authorization.k8s.io.c3R, v5.channel.k8s.io',
    ]
    expect(outgoingHeaders([header], alice)[0]).toEqual([
      'sec-websocket-protocol',
      'v4.channel.k8s.io, v5.channel.k8s.io',
    ])
  })

  it('have the name of a user in UTF-8', () => {
    const [, user] = outgoingHeaders([], { ...alice, identity: { user: 'zoë@example.com', groups: [] } })
    expect(Buffer.from(user?.[1] ?? '', 'latin1').toString('utf8')).toBe('zoë@example.com')
  })

  it('are pairs', () => {
    expect(pairsOf(['A', '1', 'b', '2', 'A', '3'])).toEqual([
      ['A', '1'],
      ['b', '2'],
      ['A', '3'],
    ])
  })
})

it('an answer goes back without the headers of the connection to the API server', () => {
  const headers = {
    connection: 'close',
    'transfer-encoding': 'chunked',
    'keep-alive': 'x',
    upgrade: 'SPDY/3.1',
    trailer: 'x',
  }
  const goes = { 'content-type': 'application/json', 'audit-id': 'x', warning: ['a', 'b'] }
  expect(answeredHeaders({ ...headers, ...goes, absent: undefined })).toEqual(goes)
})
