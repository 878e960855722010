import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { type Duplex, Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { connect as connectTls } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { certificateFor } from '../kube/api-server.ts'
import { auth, echo, execPath, head, reading, upgrade, watchPath } from './asking.ts'
import { ProxyBed } from './proxy-bed.ts'

describe('changes of protocol', () => {
  it('join both ends, with what came along, until one ends', async () => {
    await using bed = await ProxyBed.start(auth)
    bed.upstream.change = echo
    const socket = await bed.open()
    const client = reading(socket)
    socket.write(`${upgrade('spdy/3.1')}early`)
    await client.until('early')
    expect(client.text()).toMatch(
      /^HTTP\/1\.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY\/3\.1\r\nx-its: own\r\n/,
    )
    const forward = bed.upstream.forwards[0]
    expect(forward).toMatchObject({ method: 'POST', target: execPath })
    expect(forward?.headers.map((one) => one.toLowerCase())).toEqual(expect.arrayContaining(['upgrade', 'spdy/3.1']))
    socket.write('late')
    await client.until('earlylate')
    socket.end()
    await once(socket, 'close')
    await bed.audited({ resource: 'pods/exec', stage: 'ended' })
    expect(bed.audit).toMatchObject([
      { stage: 'started', status: 101, verb: 'create' },
      { stage: 'ended', status: 101 },
    ])
  })

  it('read from a side only what the other takes', async () => {
    await using bed = await ProxyBed.start(auth)
    const far = Promise.withResolvers<Duplex>()
    bed.upstream.change = (forward, socket, first) => {
      echo(forward, socket, first)
      socket.unpipe(socket)
      far.resolve(socket)
    }
    const socket = await bed.open()
    socket.write(upgrade('SPDY/3.1'))
    await once(socket, 'readable')
    const server = await far.promise
    // Much more than all buffers in between have.
    const size = 64 * 1024 * 1024
    for (const [from, to] of [
      [server, socket],
      [socket, server],
    ] as const) {
      let sent = 0
      const chunk = Buffer.alloc(1024 * 1024)
      const source = Readable.from(
        (function* () {
          for (; sent < size; sent += chunk.length) yield chunk
        })(),
      )
      to.pause()
      source.pipe(from, { end: false })
      // It stops by itself: what has been sent is the same for a while, and not all.
      let before = -1
      await expect
        .poll(
          () => {
            const isSame = before === sent && sent > 0
            before = sent
            return isSame
          },
          { interval: 500 },
        )
        .toBe(true)
      expect(sent).toBeLessThan(size)
      let got = 0
      to.on('data', (some: Buffer) => (got += some.length))
      to.resume()
      await expect.poll(() => got).toBeGreaterThanOrEqual(size)
    }
    socket.destroy()
  })

  it('that the API server refuses are answered as it answers', async () => {
    await using bed = await ProxyBed.start(auth)
    const answer = await bed.raw(upgrade('websocket'))
    expect(answer).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n.*\r\nno$/s)
  })

  it('end on one side when the other breaks', async () => {
    await using bed = await ProxyBed.start(auth)
    const far = Promise.withResolvers<Duplex>()
    bed.upstream.change = (forward, socket, first) => {
      echo(forward, socket, first)
      far.resolve(socket)
    }
    const [one, other] = [await bed.open(), await bed.open()]
    one.write(upgrade('SPDY/3.1'))
    const server = await far.promise
    const closed = once(server, 'close')
    one.resetAndDestroy()
    await closed
    bed.upstream.change = (forward, socket, first) => {
      echo(forward, socket, first)
      socket.destroy()
    }
    other.write(upgrade('SPDY/3.1'))
    await once(other.resume(), 'close')
  })
})

describe('within TLS', () => {
  const start = async () => {
    const { key, cert } = await certificateFor('DNS:localhost')
    const bed = await ProxyBed.start({ ...auth, CULVERT_APISERVER_TLS: 'true' }, ({ tailscaled }) => {
      tailscaled.pair = `${key}${cert}`
    })
    const secure = async (...protocols: readonly string[]) => {
      const socket = connectTls({
        socket: await bed.open(),
        ca: cert,
        servername: 'localhost',
        ALPNProtocols: [...protocols],
      })
      await once(socket, 'secureConnect')
      return socket
    }
    return { bed, secure }
  }

  it('HTTP/2 has many requests and watches in one connection', async () => {
    const { bed, secure } = await start()
    await using _ = bed
    const socket = await secure('h2', 'http/1.1')
    expect(socket.alpnProtocol).toBe('h2')
    bed.upstream.answer = ({ target, body }, response) => {
      response.writeHead(200, { 'Keep-Alive': 'timeout=5' })
      if (target === watchPath) response.write('event')
      else response.end(`${target} ${body}`)
    }
    const session = connectHttp2('https://localhost', { createConnection: () => socket })
    const watch = session.request({ ':path': watchPath })
    expect(String((await once(watch, 'data'))[0])).toBe('event')
    const bodies = ['x', 'y'.repeat(3 * 1024 * 1024)]
    const answers = bodies.map(async (body) => {
      const request = session.request({ ':path': '/api', ':method': 'POST' })
      request.end(body)
      const [headers] = (await once(request, 'response')) as [Record<string, string>]
      expect([headers[':status'], headers['keep-alive']]).toEqual([200, undefined])
      return text(request)
    })
    expect(await Promise.all(answers)).toEqual(bodies.map((body) => `/api ${body}`))
    // Each header goes on as it does from HTTP/1.1, and no pseudo header with it.
    expect(bed.upstream.forwards[1]?.headers).toContain('Impersonate-User')
    expect(bed.upstream.forwards[1]?.headers.join()).not.toMatch(/:path|:method|localhost/)
    session.destroy()
    await bed.audited({ verb: 'watch' })
  })

  it.each([['http/1.1'], []])('HTTP/1.1 is what other clients get, and sessions: %s', async (...protocols) => {
    const { bed, secure } = await start()
    await using _ = bed
    bed.upstream.change = echo
    const socket = await secure(...protocols)
    const client = reading(socket)
    socket.write(upgrade('SPDY/3.1'))
    await client.until('x-its: own')
    socket.write('hello')
    await client.until('hello')
    socket.destroy()
  })

  it('what is no TLS is not answered', async () => {
    const { bed } = await start()
    await using _ = bed
    expect(await bed.raw(head('GET /api'))).not.toContain('HTTP')
    expect(bed.upstream.forwards).toEqual([])
  })
})
