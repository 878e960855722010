import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { afterEach, expect, test } from 'vitest'
import { parseAddress } from '../../lib/address.ts'
import { UdpRelay } from '../../relay/udp.ts'

const sockets: Socket[] = []
const relays: UdpRelay[] = []
afterEach(() => {
  for (const relay of relays.splice(0)) for (const port of relay.ports) relay.close(port)
  for (const socket of sockets.splice(0)) socket.close()
})

const backend = (port: number, host = '127.0.0.1') => ({ address: parseAddress(host)!, port })

async function bound(host: string): Promise<Socket> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
  socket.bind(0, host)
  await once(socket, 'listening')
  sockets.push(socket)
  return socket
}

type Received = { readonly text: string; readonly from: number }

/** A backend that answers with what it got; `received` is all that it got. */
async function echo(host = '127.0.0.1'): Promise<{ readonly port: number; readonly received: readonly Received[] }> {
  const socket = await bound(host)
  const received: Received[] = []
  socket.on('message', (datagram: Buffer, { port, address }: RemoteInfo) => {
    received.push({ text: datagram.toString(), from: port })
    socket.send(datagram, port, address)
  })
  return { port: socket.address().port, received }
}

async function freePort(): Promise<number> {
  const socket = await bound('127.0.0.1')
  const { port } = socket.address()
  sockets.splice(sockets.indexOf(socket), 1)
  socket.close()
  return port
}

let now = 0
function relayWith(options: { readonly limit?: number; readonly idleMs?: number } = {}): UdpRelay {
  const relay = new UdpRelay({ limit: 100, idleMs: 120_000, ...options }, () => now)
  relays.push(relay)
  return relay
}

async function ask(client: Socket, port: number, datagram: Buffer | string): Promise<Buffer> {
  const answer = once(client, 'message')
  client.send(datagram, port, '127.0.0.1')
  return ((await answer) as [Buffer])[0]
}

test.each(['127.0.0.1', '::1'])(
  'passes datagrams of any size to a backend at %s, and the answers back',
  async (host) => {
    const { port: to, received } = await echo(host)
    const relay = relayWith()
    const port = await freePort()
    await relay.open(port, () => [backend(to, host)])
    const client = await bound('127.0.0.1')
    for (const size of [0, 1, 1200, 65_507]) {
      const datagram = Buffer.alloc(size, 'x')
      expect((await ask(client, port, datagram)).equals(datagram)).toBe(true)
    }
    expect(new Set(received.map(({ from }) => from)).size).toBe(1)
    const bytes = 1 + 1200 + 65_507
    const passed = { begun: 1, toBytes: bytes, fromBytes: bytes }
    expect(relay.counts()).toMatchObject({ sessions: 1, dropped: { refused: 0 }, ...passed })
  },
)

test('what comes while a session is opened is passed on in order, up to a limit', async () => {
  const { port: to, received } = await echo()
  const relay = relayWith()
  const port = await freePort()
  await relay.open(port, () => [backend(to)])
  const client = await bound('127.0.0.1')
  for (let n = 0; n < 10; n += 1) client.send(`${n}`, port, '127.0.0.1')
  await expect.poll(() => received.map(({ text }) => text)).toEqual(Array.from({ length: 10 }, (_, n) => `${n}`))
})

test('each client has a session of its own', async () => {
  const { port: to, received } = await echo()
  const relay = relayWith()
  const port = await freePort()
  await relay.open(port, () => [backend(to)])
  const clients = [await bound('127.0.0.1'), await bound('127.0.0.1')]
  for (const [index, client] of clients.entries()) expect(String(await ask(client, port, `${index}`))).toBe(`${index}`)
  expect(new Set(received.map(({ from }) => from)).size).toBe(2)
  expect(relay.counts().sessions).toBe(2)
})

test('a flood of clients costs the sessions that were idle longest, and no more memory', async () => {
  const { port: to } = await echo()
  const relay = relayWith({ limit: 10 })
  const port = await freePort()
  await relay.open(port, () => [backend(to)])
  const busy = await bound('127.0.0.1')
  for (let n = 0; n < 50; n += 1) {
    const client = await bound('127.0.0.1')
    expect(String(await ask(busy, port, 'busy'))).toBe('busy')
    expect(String(await ask(client, port, `${n}`))).toBe(`${n}`)
    expect(relay.counts().sessions).toBeLessThanOrEqual(10)
  }
  expect(relay.counts()).toMatchObject({ sessions: 10, evicted: 41 })
})

test('idle sessions end, and the next datagram begins another', async () => {
  const { port: to, received } = await echo()
  const relay = relayWith({ idleMs: 1000 })
  const port = await freePort()
  await relay.open(port, () => [backend(to)])
  const [one, other] = [await bound('127.0.0.1'), await bound('127.0.0.1')]
  await ask(one, port, 'a')
  now += 800
  await ask(other, port, 'b')
  now += 800
  relay.sweep()
  expect(relay.counts().sessions).toBe(1)
  expect(String(await ask(one, port, 'c'))).toBe('c')
  expect(received.map(({ text }) => text)).toEqual(['a', 'b', 'c'])
})

test('sessions move when their backend is gone', async () => {
  const [first, second] = [await echo(), await echo()]
  let to = first.port
  const relay = relayWith()
  const port = await freePort()
  await relay.open(port, () => [backend(to)])
  const client = await bound('127.0.0.1')
  await ask(client, port, 'a')
  to = second.port
  relay.endWhere((at) => at.port === first.port)
  await ask(client, port, 'b')
  expect([first, second].map(({ received }) => received.map(({ text }) => text))).toEqual([['a'], ['b']])
})

test('a backend that refuses is counted, and heard again once it is there', async () => {
  const relay = relayWith()
  const [port, to] = [await freePort(), await freePort()]
  await relay.open(port, () => [backend(to)])
  const client = await bound('127.0.0.1')
  client.send('x', port, '127.0.0.1')
  await expect.poll(() => relay.counts().dropped.refused).toBe(1)
  const late = createSocket('udp4')
  late.bind(to, '127.0.0.1')
  await once(late, 'listening')
  sockets.push(late)
  const heard = once(late, 'message')
  client.send('y', port, '127.0.0.1')
  expect(String((await heard)[0])).toBe('y')
})

test('without a backend datagrams are counted', async () => {
  const relay = relayWith()
  const port = await freePort()
  await relay.open(port, () => [])
  const client = await bound('127.0.0.1')
  client.send('x', port, '127.0.0.1')
  await expect.poll(() => relay.counts()).toMatchObject({ sessions: 0, dropped: { 'no-backend': 1 } })
})

test('a port that is taken is an error, and a closed one is free again', async () => {
  const relay = relayWith()
  const taken = await bound('127.0.0.1')
  await expect(relay.open(taken.address().port, () => [])).rejects.toMatchObject({ code: 'EADDRINUSE' })
  const port = await freePort()
  await relay.open(port, () => [])
  relay.close(port)
  await relay.open(port, () => [])
  expect(relay.ports).toEqual([port])
})

test('a port that cannot be opened costs no file, however often it is tried', async () => {
  const taken = (await bound('127.0.0.1')).address().port
  const relay = relayWith()
  const open = () => readdirSync('/proc/self/fd').length
  const before = open()
  for (let attempt = 0; attempt < 50; attempt += 1) {
    await expect(relay.open(taken, () => [])).rejects.toMatchObject({ code: 'EADDRINUSE' })
  }
  expect(open()).toBeLessThan(before + 10)
})
