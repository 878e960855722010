import { Resolver } from 'node:dns/promises'
import { createServer as createHttps } from 'node:https'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { expect, it } from 'vitest'
import { addressesOf, ping } from '../../../agent/preshutdown/ping.ts'
import type { Answerer } from '../../../agent/preshutdown/rounds.ts'
import { certificateFor } from '../../kube/api-server.ts'
import { patience } from '../../lab/patience.ts'

const mark = { header: 'pod-ipv4', value: '10.0.0.1' }
const here = { from: 'here' }
const elsewhere = { from: 'elsewhere' }
const nobody = (problem: RegExp) => ({ from: 'nobody', problem: expect.stringMatching(problem) })

/** Pings a server that handles each connection with `answer`; `connections` counts them. */
async function asked(
  answer: (socket: Socket) => void,
  { timeoutMs = patience, times = 1, signal = neverAborted } = {},
) {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('data', () => answer(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/healthz`)
  const answers: Answerer[] = []
  while (answers.length < times) answers.push(await ping(url, { addresses: [], mark, timeoutMs, signal }))
  for (const socket of sockets) socket.destroy()
  server.close()
  return { answers, connections: sockets.size }
}
const neverAborted = new AbortController().signal

const head = (status: string, ...headers: string[]): string => [`HTTP/1.1 ${status}`, ...headers, '', ''].join('\r\n')
const own = 'Pod-IPv4: 10.0.0.1'

it.each<[string, string, object]>([
  ['this Pod', head('200 OK', own, 'Content-Length: 0'), here],
  ['this Pod, in another spelling', head('200 OK', 'POD-ipv4:10.0.0.1', 'Content-Length: 0'), here],
  ['this Pod, with a 503', head('503 Unwell', own), here],
  ['this Pod, with an endless answer', head('200 OK', own, 'Content-Length: 5000000000') + 'begun', here],
  ['this Pod, with a redirect', head('302 Found', own, 'Location: /other'), here],
  ['this Pod, after 103 Early Hints', head('103 Early Hints') + head('200 OK', own), here],
  ['another Pod', head('200 OK', 'Pod-IPv4: 10.0.0.2'), elsewhere],
  ['a Pod whose address begins like ours', head('200 OK', 'Pod-IPv4: 10.0.0.11'), elsewhere],
  ['a Pod with an address of the other family only', head('200 OK', 'Pod-IPv6: fd00::1'), elsewhere],
  ['a server without Pod addresses', head('404 Not Found'), elsewhere],
  ['a server that does not speak HTTP', 'SSH-2.0-OpenSSH\r\n', nobody(/Parse Error/)],
  ['endless headers', head('200 OK', `X: ${'x'.repeat(100_000)}`), nobody(/Header overflow/i)],
  ['another protocol', head('101 Switching', 'Upgrade: h2c', 'Connection: Upgrade'), nobody(/without an answer/)],
])('recognises %s', async (_name, text, expected) => {
  expect((await asked((socket) => socket.end(text))).answers).toEqual([expected])
})

it('opens a new connection each time, as load balancers choose per connection', async () => {
  const answer = (socket: Socket): void => void socket.write(head('200 OK', own, 'Connection: keep-alive'))
  expect(await asked(answer, { times: 3 })).toEqual({ answers: [here, here, here], connections: 3 })
})

it('waits up to its time limit, and not after it was cancelled', async () => {
  expect((await asked(() => {}, { timeoutMs: 50 })).answers).toEqual([nobody(/no answer within 0.05 s/)])
  const slowly = (socket: Socket): void => void setInterval(() => socket.write(' '), 5).unref()
  expect((await asked(slowly, { timeoutMs: 50 })).answers).toEqual([nobody(/no answer within|Parse Error/)])
  const cancelled = new AbortController()
  const { answers } = await asked(() => cancelled.abort(), { signal: cancelled.signal })
  expect(answers).toEqual([nobody(/abort/)])
})

it('counts a refused connection as another Pod, and a broken one as no answer', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  const options = { addresses: [], mark, timeoutMs: patience, signal: neverAborted }
  expect(await ping(new URL(`http://127.0.0.1:${port}/`), options)).toEqual(elsewhere)
  const both = ['::1', '127.0.0.1'].map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
  expect(await ping(new URL(`http://name:${port}/`), { ...options, addresses: both })).toEqual(elsewhere)
  expect((await asked((socket) => socket.resetAndDestroy())).answers).toEqual([nobody(/ECONNRESET|hang up/)])
  expect((await asked((socket) => socket.end())).answers).toEqual([nobody(/hang up/)])
})

it('accepts any certificate over TLS', async () => {
  const server = createHttps(await certificateFor('IP:10.9.9.9'), (_request, response) => {
    response.writeHead(200, { 'Pod-IPv4': mark.value }).end()
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const url = new URL(`https://127.0.0.1:${(server.address() as AddressInfo).port}/`)
  expect(await ping(url, { addresses: [], mark, timeoutMs: patience, signal: neverAborted })).toEqual(here)
  server.close()
})

it('does not query DNS for an address', async () => {
  const resolver = new Resolver({ timeout: patience, tries: 1 })
  resolver.setServers(['127.0.0.1:9'])
  expect(await addressesOf(new URL('http://127.0.0.1:1/'), resolver)).toEqual([])
  expect(await addressesOf(new URL('http://[::1]:1/'), resolver)).toEqual([])
  await expect(addressesOf(new URL('http://a.b.c:1/'), resolver)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
})
