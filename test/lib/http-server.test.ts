import type { Server } from 'node:http'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { close, serve } from '../../lib/http-server.ts'
import { ask, onLoopback } from './http-servers.ts'

let server: Server
let address: string
beforeAll(async () => {
  const routes = {
    '/plain': () => ({ status: 200, body: 'ok', headers: { 'Pod-IPv4': '10.0.0.1' } }),
    '/later': async (query: URLSearchParams) => ({ status: 200, body: `{"verbose":${query.has('verbose')}}` }),
    '/typed': () => ({ status: 200, body: '{', headers: { 'content-type': 'text/special' } }),
    '/nothing': () => ({ status: 200, body: '' }),
    '/broken': () => Promise.reject(new Error('broken')),
  }
  const to = (_request: unknown, response: { end: (text: string) => void }, path: string): void => response.end(path)
  const relay = { prefix: '/debug/', to }
  ;({ server, address } = await onLoopback(serve(routes, relay)))
})
afterAll(() => close(server))

it.each<[string, string, object]>([
  ['GET', '/plain', { status: 200, body: 'ok\n', headers: { 'pod-ipv4': '10.0.0.1', 'content-length': '3' } }],
  [
    'GET',
    '/later?verbose',
    { status: 200, body: '{"verbose":true}\n', headers: { 'content-type': 'application/json' } },
  ],
  ['GET', '/typed', { status: 200, headers: { 'content-type': 'text/special' } }],
  ['GET', '/x/../plain', { status: 200 }],
  ['GET', 'http://other/plain', { status: 200 }],
  ['HEAD', '/plain', { status: 200, body: '', headers: { 'content-length': '3' } }],
  ['POST', '/plain', { status: 405, headers: { allow: 'GET, HEAD' } }],
  ['DELETE', '/unknown', { status: 404 }],
  ['GET', '/', { status: 404 }],
  ['GET', '/plain/', { status: 404 }],
  ['GET', '/constructor', { status: 404 }],
  ['GET', '//', { status: 400 }],
  ['GET', '/nothing', { status: 200, body: '', headers: { 'content-length': '0' } }],
  ['GET', '/broken', { status: 500, body: 'broken\n' }],
  ['POST', '/debug/pprof/symbol?a=b', { body: '/debug/pprof/symbol?a=b' }],
  ['GET', '/debug', { status: 404 }],
  ['GET', '/debug/../plain', { status: 200, body: 'ok\n' }],
  ['GET', '/debug/%2e%2e/unknown', { status: 404 }],
])('%s %s', async (method, path, expected) => {
  expect(await ask(address, path, { method })).toMatchObject(expected)
})

it('aborts the signal of a route when its client has gone', async () => {
  const client = new AbortController()
  const seen = Promise.withResolvers<boolean>()
  const waiting = (_query: URLSearchParams, gone: AbortSignal): Promise<never> => {
    gone.addEventListener('abort', () => seen.resolve(gone.aborted))
    client.abort()
    return new Promise(() => {})
  }
  const front = await onLoopback(serve({ '/waiting': waiting }))
  await expect(ask(front.address, '/waiting', { signal: client.signal })).rejects.toThrow(/abort/)
  expect(await seen.promise).toBe(true)
  await close(front.server)
})

it('goes on after a connection that could not be accepted, and logs why', async () => {
  const problems: string[] = []
  const failed = ({ message }: Error): unknown => problems.push(message)
  const front = await onLoopback(serve({ '/plain': () => ({ status: 200, body: 'ok' }) }), { failed })
  // As Node reports it when there are no file descriptors left.
  front.server.emit('error', new Error('accept EMFILE'))
  expect(problems).toEqual(['accept EMFILE'])
  expect(await ask(front.address, '/plain')).toMatchObject({ status: 200 })
  await close(front.server)
})
