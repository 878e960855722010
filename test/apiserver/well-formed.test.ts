import { describe, expect, it } from 'vitest'
import type { Header } from '../../apiserver/headers.ts'
import { Refused } from '../../apiserver/refused.ts'
import { checkFrame, type Received } from '../../apiserver/well-formed.ts'

const host: Header = ['Host', 'kube.lab.ts.net']
const received = (more: Partial<Received> = {}, ...headers: readonly Header[]): Received => ({
  version: '1.1',
  method: 'GET',
  target: '/api/v1/pods?watch=true',
  headers: [host, ...headers],
  ...more,
})
const chunked: Header = ['Transfer-Encoding', 'chunked']
const post = { method: 'POST' }

function statusOf(request: Received): number {
  try {
    checkFrame(request)
  } catch (error) {
    if (error instanceof Refused) return error.status
    throw error
  }
  return 200
}

describe('a request is passed on', () => {
  it.each<[string, Received, upgrade: string | undefined, hasBody: boolean]>([
    ['that asks for something', received(), undefined, false],
    ['with a body of known length', received(post, ['Content-Length', '12']), undefined, true],
    ['with a body of no length', received(post, ['Content-Length', '0']), undefined, false],
    ['with a body in chunks', received(post, chunked), undefined, true],
    [
      'with a body of HTTP/2',
      received({ ...post, version: '2', isWhole: false, headers: [[':authority', 'a']] }),
      undefined,
      true,
    ],
    ['to delete many things', received({ method: 'DELETE' }), undefined, false],
    ['for SPDY', received(post, ['Connection', 'Upgrade'], ['Upgrade', 'SPDY/3.1']), 'SPDY/3.1', false],
    [
      'for WebSocket',
      received({}, ['Connection', 'keep-alive, Upgrade'], ['Upgrade', 'WebSocket']),
      'websocket',
      false,
    ],
    ['with an encoded path', received({ target: '/api/v1/%6eamespaces//x/../y' }), undefined, false],
    ['that waits for its turn', received(post, ['Expect', '100-continue'], ['Content-Length', '1']), undefined, true],
  ])('%s', (_what, request, upgrade, hasBody) => {
    expect(checkFrame(request)).toEqual({ upgrade, hasBody })
  })
})

describe('a request is refused', () => {
  it.each<[string, number, Received]>([
    ['with length and chunks', 400, received(post, ['Content-Length', '5'], chunked)],
    ['with two lengths', 400, received(post, ['Content-Length', '5'], ['content-length', '5'])],
    ['with a list of lengths', 400, received(post, ['Content-Length', '5, 5'])],
    ['with a signed length', 400, received(post, ['Content-Length', '+5'])],
    ['with a hexadecimal length', 400, received(post, ['Content-Length', '0x5'])],
    ['with a length beyond numbers', 400, received(post, ['Content-Length', '99999999999999999999'])],
    ['with two codings', 400, received(post, chunked, chunked)],
    ['with a list of codings', 400, received(post, ['Transfer-Encoding', 'gzip, chunked'])],
    ['with another coding', 400, received(post, ['Transfer-Encoding', 'identity'])],
    ['with a disguised coding', 400, received(post, ['Transfer-Encoding', '\vchunked'])],
    ['with chunks in HTTP/1.0', 400, received({ ...post, version: '1.0' }, chunked)],
    ['with chunks in HTTP/2', 400, received({ ...post, version: '2' }, chunked)],
    ['without a host', 400, received({ headers: [] })],
    ['with two hosts', 400, received({}, ['Host', 'kube.lab.ts.net'])],
    ['with a host beside another authority', 400, received({ version: '2' }, [':authority', 'other'])],
    [
      'whose connection names a header that says who asks',
      400,
      received({}, ['Connection', 'close, Impersonate-User']),
    ],
    ['whose connection names another header', 400, received({}, ['Connection', 'X-Whatever'])],
    ['whose connection names nothing', 400, received({}, ['Connection', ''])],
    ['for a change to HTTP/2', 400, received({}, ['Connection', 'Upgrade, HTTP2-Settings'], ['Upgrade', 'h2c'])],
    ['for a change to something else', 400, received({}, ['Upgrade', 'tls/1.2'])],
    ['for a choice of changes', 400, received({}, ['Upgrade', 'websocket, SPDY/3.1'])],
    ['for two changes', 400, received({}, ['Upgrade', 'websocket'], ['Upgrade', 'websocket'])],
    ['for a change, with a body', 400, received(post, ['Upgrade', 'SPDY/3.1'], ['Content-Length', '4'])],
    ['with an absolute target', 400, received({ target: 'http://other/api' })],
    ['with no target', 400, received({ target: '' })],
    ['for the whole server', 400, received({ method: 'OPTIONS', target: '*' })],
    ['with a space in its target', 400, received({ target: '/api HTTP/1.1' })],
    ['with a line break in its target', 400, received({ target: '/api\r\nX: y' })],
    ['with a fragment', 400, received({ target: '/api#x' })],
    ['with other bytes than ASCII in its target', 400, received({ target: '/api/\u00e4' })],
    ['of an older version', 400, received({ version: '0.9' })],
    ['of a version that only HTTP/2 has', 400, received({ version: '2.0' })],
    ['with a pseudo header in HTTP/1.1', 400, received({}, [':authority', 'kube.lab.ts.net'])],
    ['with spaces around a value in HTTP/2', 400, received({ version: '2' }, ['impersonate-user', ' a'])],
    ['for a tunnel', 405, received({ method: 'CONNECT', target: 'other:443' })],
    ['for a trace', 405, received({ method: 'TRACE' })],
    ['with an unknown method', 405, received({ method: 'get' })],
    ['with an expectation', 417, received(post, ['Expect', 'a miracle'])],
    ['with a line break in a value', 400, received({}, ['X', 'a\r\nImpersonate-User: admin'])],
    ['with a zero byte in a value', 400, received({}, ['X', 'a\0b'])],
    ['with a space in a name', 400, received({}, ['Impersonate-User ', 'admin'])],
    ['with a line break in a name', 400, received({}, ['X\nImpersonate-User', 'admin'])],
    ['with an empty name', 400, received({}, ['', 'admin'])],
    ['with a name that begins with a colon', 400, received({}, [':path', '/'])],
  ])('%s: %i', (_what, status, request) => {
    expect(statusOf(request)).toBe(status)
  })
})
