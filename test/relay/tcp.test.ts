import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, expect, test } from 'vitest'
import { parseAddress } from '../../lib/address.ts'
import { relayAddress, TcpRelay } from '../../relay/tcp.ts'

const servers: Server[] = []
const sockets: Socket[] = []
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy()
  for (const server of servers.splice(0)) server.close()
})

const backend = (port: number, host = '127.0.0.1') => ({ address: parseAddress(host)!, port })

/** A backend at a free port. */
async function serve(handle: (socket: Socket) => void, host = '127.0.0.1'): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    handle(socket)
  })
  servers.push(server)
  server.listen(0, host)
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

const echo = (socket: Socket): void => void socket.pipe(socket)

/** A port of 127.0.0.1 where nothing listens. */
async function closedPort(): Promise<number> {
  const port = await serve(() => {})
  const server = servers.pop()!
  server.close()
  await once(server, 'close')
  return port
}

const relay = () => new TcpRelay({ connectMs: 60_000 })

function dial(port: number): Socket {
  const socket = connect({ host: relayAddress, port, allowHalfOpen: true })
  sockets.push(socket)
  return socket
}

test.each(['127.0.0.1', '::1'])(
  'passes bytes both ways, each half until its own end, to a backend at %s',
  async (host) => {
    const port = await serve((socket) => {
      // It answers only when it has the whole question.
      void text(socket).then((all) => socket.end(`${all.length} bytes`))
    }, host)
    const one = relay()
    const client = dial(await one.open(80, () => [backend(port, host)]))
    client.end('x'.repeat(3_000_000))
    expect(await text(client)).toBe('3000000 bytes')
    const passed = { begun: 1, toBytes: 3_000_000, fromBytes: '3000000 bytes'.length }
    await expect.poll(() => one.counts()).toEqual({ connections: 0, refused: 0, ...passed })
    one.close(80)
  },
)

test('tries the next backend where one refuses, and resets the client when all do', async () => {
  const port = await serve(echo)
  const closed = await closedPort()
  const one = relay()
  const client = dial(await one.open(80, () => [backend(closed), backend(port)]))
  client.end('hello')
  expect(await text(client)).toBe('hello')
  const other = dial(await one.open(81, () => [backend(closed)]))
  await expect(once(other, 'end')).rejects.toMatchObject({ code: 'ECONNRESET' })
  const none = dial(await one.open(82, () => []))
  await expect(once(none, 'end')).rejects.toMatchObject({ code: 'ECONNRESET' })
  expect(one.counts()).toMatchObject({ connections: 0, refused: 2 })
  for (const key of [80, 81, 82]) one.close(key)
})

test('tries as many backends as there are, and leaves nothing of one that refused', async () => {
  const warnings: Error[] = []
  const warn = (warning: Error): void => void warnings.push(warning)
  process.on('warning', warn)
  const port = await serve(echo)
  const closed = await closedPort()
  const one = relay()
  const client = dial(await one.open(80, () => [...Array.from({ length: 30 }, () => backend(closed)), backend(port)]))
  client.end('hello')
  expect(await text(client)).toBe('hello')
  process.off('warning', warn)
  expect(warnings).toEqual([])
  one.close(80)
})

test('refuses clients beyond the limit, whether others are connected or still being connected, until one ends', async () => {
  const port = await serve(echo)
  const one = new TcpRelay({ connectMs: 60_000, limit: 2 })
  const at = await one.open(80, () => [backend(port)])
  const [first, second, third] = [dial(at), dial(at), dial(at)]
  await expect(once(third, 'end')).rejects.toMatchObject({ code: 'ECONNRESET' })
  expect(one.counts().refused).toBe(1)
  first.end('hello')
  expect(await text(first)).toBe('hello')
  await expect.poll(() => one.counts().connections).toBe(1)
  const next = dial(at)
  next.end('next')
  expect(await text(next)).toBe('next')
  second.end('still here')
  expect(await text(second)).toBe('still here')
  one.close(80)
})

test('passes a reset on, from either side', async () => {
  const accepted = Promise.withResolvers<Socket>()
  const port = await serve((socket) => (socket.once('data', () => socket.resetAndDestroy()), accepted.resolve(socket)))
  const one = relay()
  const at = await one.open(80, () => [backend(port)])
  const client = dial(at)
  client.write('x')
  await expect(once(client, 'end')).rejects.toMatchObject({ code: 'ECONNRESET' })

  const reset = Promise.withResolvers<string | undefined>()
  const second = await serve(
    (socket) => void socket.on('error', (error: NodeJS.ErrnoException) => reset.resolve(error.code)),
  )
  const other = dial(await one.open(81, () => [backend(second)]))
  await expect.poll(() => one.counts().connections).toBe(1)
  other.resetAndDestroy()
  expect(await reset.promise).toBe('ECONNRESET')
  await expect.poll(() => one.counts().connections).toBe(0)
  for (const key of [80, 81]) one.close(key)
})

test('resets the connections of a backend that is gone, and no others', async () => {
  const [gone, stays] = [await serve(echo), await serve(echo)]
  const one = relay()
  const first = dial(await one.open(80, () => [backend(gone)]))
  const second = dial(await one.open(81, () => [backend(stays)]))
  await expect.poll(() => one.counts().connections).toBe(2)
  const ended = once(first, 'end')
  one.endWhere(({ port }) => port === gone)
  await expect(ended).rejects.toMatchObject({ code: 'ECONNRESET' })
  second.end('still here')
  expect(await text(second)).toBe('still here')
  for (const key of [80, 81]) one.close(key)
})

test('a closed port accepts nothing more, and what is open goes on', async () => {
  const port = await serve(echo)
  const one = relay()
  const at = await one.open(80, () => [backend(port)])
  const client = dial(at)
  await expect.poll(() => one.counts().connections).toBe(1)
  one.close(80)
  await expect(once(dial(at), 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  client.end('still here')
  expect(await text(client)).toBe('still here')
})
