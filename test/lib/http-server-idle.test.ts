import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { close, type Route, serve } from '../../lib/http-server.ts'
import { ask, onLoopback } from './http-servers.ts'

describe('a server that closes idle connections', () => {
  const idleMs = 50
  /** Waits until a connection that becomes idle now has been closed. */
  const idleTime = async (address: string): Promise<void> => {
    const [host = '', port = ''] = address.split(':')
    const silent = connect(Number(port), host).resume()
    await once(silent, 'close')
  }
  /** A server whose only route answers once the idle time has passed. */
  const slow = async (body: string) => {
    const answer: Route = async () => {
      await idleTime(front.address)
      return { status: 200, body }
    }
    const front = await onLoopback(serve({ '/slow': answer }), { idleMs })
    return front
  }

  it('keeps a connection while a route works on the answer', async () => {
    const { server, address } = await slow('done')
    expect(await ask(address, '/slow')).toMatchObject({ status: 200, body: 'done\n' })
    await close(server)
  })

  it('closes connections of clients that do not read an answer, also of one that took long', async () => {
    const body = 'a'.repeat(64 * 1024 * 1024)
    const { server, address } = await slow(body)
    const [host = '', port = ''] = address.split(':')
    const accepted = once(server, 'connection') as Promise<[Socket]>
    const client = connect(Number(port), host).pause()
    client.on('error', () => {})
    client.write('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n')
    const [socket] = await accepted
    await once(socket, 'close')
    expect(socket.bytesWritten).toBeGreaterThan(0)
    client.destroy()
    await close(server)
  })
})
