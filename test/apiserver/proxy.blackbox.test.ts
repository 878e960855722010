import { once } from 'node:events'
import type { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { aWhois, granting, groups } from './a-whois.ts'
import { auth, echo, head, reading, upgrade, watchPath } from './asking.ts'
import { ProxyBed } from './proxy-bed.ts'

describe('requests', () => {
  it('go on with their bodies, and answers come back, over one connection', async () => {
    await using bed = await ProxyBed.start(auth)
    bed.upstream.answer = ({ method, body }, response) =>
      response.writeHead(201, { 'Audit-Id': 'its-id', Warning: ['a', 'b'] }).end(`${method} ${body}`)
    const socket = await bed.open()
    const client = reading(socket)
    socket.write(head('POST /api/v1/namespaces/a/pods?x=y', 'Content-Length: 4', 'X-Own: 1') + 'body')
    await client.until('POST body')
    socket.write(head('DELETE /api/v1/namespaces/a/pods/b', 'Transfer-Encoding: chunked') + '2\r\nto\r\n0\r\n\r\n')
    await client.until('DELETE to')
    socket.write(head('PUT /x', 'Expect: 100-continue', 'Content-Length: 2'))
    await client.until('100 Continue')
    socket.write('us')
    await client.until('PUT us')
    expect(client.text()).toMatch(/^HTTP\/1\.1 201 .*warning: a\r\nwarning: b\r\n/s)
    expect(bed.upstream.forwards.map(({ method, target }) => `${method} ${target}`)).toEqual([
      'POST /api/v1/namespaces/a/pods?x=y',
      'DELETE /api/v1/namespaces/a/pods/b',
      'PUT /x',
    ])
    expect(bed.upstream.forwards[0]?.headers).toEqual(expect.arrayContaining(['X-Own', '1']))
    expect(bed.upstream.forwards[0]?.headers.join()).not.toContain('kube')
    await bed.audited({ path: '/x' })
    expect(bed.audit).toMatchObject([
      {
        verb: 'create',
        resource: 'pods',
        user: 'alice@example.com',
        status: 201,
        auditId: 'its-id',
        from: '100.64.0.7',
      },
      { verb: 'delete', resource: 'pods', namespace: 'a', name: 'b' },
      { verb: 'put', path: '/x' },
    ])
    expect(bed.tailscaled.asked).toEqual(['100.64.0.7 tcp'])
    expect((await bed.probe('/metrics')).body).toContain(
      'culvert_apiserver_requests_total{verb="create",code="201"} 1\n',
    )
    socket.destroy()
  })

  it('of large size are read as fast as the API server reads them, and so are answers', async () => {
    await using bed = await ProxyBed.start(auth)
    const size = 30 * 1024 * 1024
    bed.upstream.answer = ({ body }, response) => void response.end('y'.repeat(body.length))
    const { status, body } = await bed.ask({ method: 'POST', path: '/large', body: 'x'.repeat(size) })
    expect([status, body.length, bed.upstream.forwards[0]?.body.length]).toEqual([200, size, size])
  })

  it('whose answer breaks off break off', async () => {
    await using bed = await ProxyBed.start(auth)
    bed.upstream.answer = (_forward, response) => {
      response.writeHead(200).write('{"first":')
      setImmediate(() => response.destroy())
    }
    const answer = await bed.raw(head('GET /api'))
    expect(answer).not.toContain('\r\n0\r\n')
  })

  it('that only want the head get no body, and neither do those that are refused', async () => {
    await using bed = await ProxyBed.start(auth)
    bed.upstream.answer = (_forward, response) => void response.writeHead(200, { 'content-length': 5 }).end()
    expect(await bed.raw(head('HEAD /api', 'Connection: close'))).toMatch(/^HTTP\/1\.1 200 .*\r\n\r\n$/s)
    bed.tailscaled.whois = () => '{}'
    bed.tailscaled.change()
    const answer = bed.raw(head('HEAD /api', 'Connection: close'), await bed.open('100.64.0.8'))
    expect(await answer).toMatch(/^HTTP\/1\.1 503 .*\r\n\r\n$/s)
  })

  it.each<[string, (socket: Socket) => void]>([
    ['breaks its connection', (socket) => void socket.resetAndDestroy()],
    ['sends no more', (socket) => void socket.end()],
  ])('of a caller that %s before the answer end at the API server, too', async (_what, leave) => {
    await using bed = await ProxyBed.start(auth)
    const gone = Promise.withResolvers<void>()
    bed.upstream.answer = (_forward, response) => void response.on('close', gone.resolve)
    const socket = await bed.open()
    socket.write(head('GET /api'))
    await expect.poll(() => bed.upstream.forwards.length).toBe(1)
    leave(socket)
    await gone.promise
    await bed.audited({ path: '/api', stage: 'ended' })
  })

  it('use the token that its file has then', async () => {
    await using bed = await ProxyBed.start(auth)
    await bed.ask()
    bed.writeAccount({ token: 'renewed\n' })
    await bed.ask()
    const tokens = bed.upstream.forwards.map(({ headers }) => headers[headers.indexOf('Authorization') + 1])
    expect(tokens).toEqual(['Bearer proxy-token', 'Bearer renewed'])
  })
})

describe('watches', () => {
  it('begin before the first event, pass each on at once, and end when the server ends them', async () => {
    await using bed = await ProxyBed.start(auth)
    const watch = Promise.withResolvers<Parameters<ProxyBed['upstream']['answer']>[1]>()
    bed.upstream.answer = (_forward, response) => {
      response.writeHead(200).flushHeaders()
      watch.resolve(response)
    }
    const socket = await bed.open()
    const client = reading(socket)
    socket.write(head(`GET ${watchPath}`))
    await client.until('200 OK')
    const response = await watch.promise
    for (const event of ['first', 'second']) {
      response.write(event)
      await client.until(event)
    }
    expect((await bed.probe('/metrics')).body).toContain('culvert_apiserver_open{kind="watch"} 1\n')
    response.end()
    await client.until('\r\n0\r\n\r\n')
    await bed.audited({ verb: 'watch', resource: 'pods', status: 200 })
    socket.destroy()
  })

  it.each<[string, Parameters<typeof aWhois>[1] | undefined]>([
    ['has left the tailnet', undefined],
    ['has lost a group', {}],
    ['belongs to somebody else', { login: 'bob@example.com', capMap: granting(groups('a')) }],
    ['has expired', { node: { Expired: true }, capMap: granting(groups('a')) }],
    ['has a policy that cannot be read', { capMap: granting(7) }],
  ])('and sessions of a device end that %s; those of others go on', async (_what, now) => {
    await using bed = await ProxyBed.start(auth)
    bed.tailscaled.whois = (address) => aWhois(address, { capMap: granting(groups('a')) })
    bed.upstream.answer = (_forward, response) => response.writeHead(200).flushHeaders()
    bed.upstream.change = echo
    const sockets = await Promise.all(
      ['100.64.0.7', '100.64.0.7', '100.64.0.8', '100.64.0.8'].map((from) => bed.open(from)),
    )
    const clients = sockets.map(reading)
    for (const [at, socket] of sockets.entries())
      socket.write(at % 2 === 0 ? head(`GET ${watchPath}`) : upgrade('SPDY/3.1'))
    await Promise.all(clients.map(({ until }, at) => until(at % 2 === 0 ? '200 OK' : 'X-Its: own'.toLowerCase())))
    const ends = sockets.slice(0, 2).map((socket) => once(socket, 'close'))
    bed.tailscaled.whois = (address, response) => {
      if (address.endsWith('.8')) return aWhois(address, { capMap: granting(groups('a')) })
      if (now === undefined) response.writeHead(404).end()
      return now && aWhois(address, now)
    }
    bed.tailscaled.change()
    await Promise.all(ends)
    await expect.poll(() => bed.audit.filter(({ cut }) => cut !== undefined).length).toBe(2)
    for (const line of bed.audit.filter(({ cut }) => cut !== undefined)) expect(line['from']).toBe('100.64.0.7')
    sockets[3]!.write('still here')
    await clients[3]!.until('still here')
    expect(sockets[2]!.destroyed).toBe(false)
    for (const socket of sockets) socket.destroy()
  })

  it('and sessions end without a report of a change, too, after some seconds', async () => {
    await using bed = await ProxyBed.start(auth)
    bed.upstream.answer = (_forward, response) => response.writeHead(200).flushHeaders()
    const socket = await bed.open()
    const client = reading(socket)
    socket.write(head(`GET ${watchPath}`))
    await client.until('200 OK')
    bed.tailscaled.whois = (_address, response) => void response.writeHead(404).end()
    await once(socket, 'close')
    expect(await bed.audited({ verb: 'watch' })).toMatchObject({
      cut: expect.stringContaining('not in the tailnet') as string,
    })
  })
})
