import { once } from 'node:events'
import { connect } from 'node:http2'
import { describe, expect, it } from 'vitest'
import { pairsOf } from '../../apiserver/headers.ts'
import { aWhois, granting, groups } from './a-whois.ts'
import { ProxyBed } from './proxy-bed.ts'

/** Headers that want to act for somebody, or to be somebody. */
const disguises = [
  ['Impersonate-User', 'system:admin'],
  ['impersonate-user', 'system:admin'],
  ['IMPERSONATE-GROUP', 'system:masters'],
  ['Impersonate-Group', 'system:masters'],
  ['Impersonate-Uid', '0'],
  ['Impersonate-Extra-Scopes', 'all'],
  ['Impersonate_User', 'system:admin'],
  ['X-Remote-User', 'system:admin'],
  ['X-Remote-Group', 'system:masters'],
  ['Authorization', 'Bearer stolen'],
  ['authorization', 'Basic eDp5'],
  ['X-Forwarded-For', '127.0.0.1'],
  ['X-Real-IP', '127.0.0.1'],
] as const
const lines = disguises.map(([name, value]) => `${name}: ${value}\r\n`).join('')
const isIdentity = (name: string): boolean =>
  /^(?:authorization|(?:x-)?(?:impersonate|remote|forwarded|real).*)$/i.test(name)

describe('who asks', () => {
  it('with impersonation is who tailscaled says, whatever the headers, trailers and chunks say', async () => {
    await using bed = await ProxyBed.start({ APISERVER_PROXY: 'true' })
    bed.tailscaled.whois = (address) => aWhois(address, { capMap: granting(groups('devs', 'on, call')) })
    const trailers =
      'Trailer: Impersonate-User, Authorization\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n'
    const body = `1;Impersonate-User=admin\r\nx\r\n0\r\n${lines}\r\n`
    await bed.raw(`POST /api HTTP/1.1\r\nHost: kube\r\n${lines}${trailers}\r\n${body}`)
    await bed.raw(`GET /api HTTP/1.1\r\nHost: kube\r\n${'A: b\r\n'.repeat(3000)}${lines}Connection: close\r\n\r\n`)
    expect(bed.upstream.forwards.map(({ body: its }) => its)).toEqual(['x', ''])
    for (const { headers: its } of bed.upstream.forwards) {
      expect(pairsOf(its).filter(([name]) => isIdentity(name))).toEqual([
        ['Authorization', 'Bearer proxy-token'],
        ['Impersonate-User', 'alice@example.com'],
        ['Impersonate-Group', 'devs'],
        ['Impersonate-Group', 'on, call'],
      ])
    }
  })

  it('with impersonation is not changed by a token among the subprotocols of a WebSocket', async () => {
    await using bed = await ProxyBed.start({ APISERVER_PROXY: 'true' })
    const wanted = 'v5.channel.k8s.io, base64url.bearer.authorization.k8s.io.c3RvbGVu'
    const change = `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: ${wanted}\r\n`
    expect(await bed.raw(`GET /api HTTP/1.1\r\nHost: kube\r\n${change}\r\n`)).toMatch(/^HTTP\/1\.1 403 /)
    const [forward] = bed.upstream.forwards
    expect(forward?.headers.join('\n')).toContain('v5.channel.k8s.io')
    expect(forward?.headers.join('\n')).not.toMatch(/bearer\.authorization/)
  })

  it('with impersonation is the same in HTTP/2', async () => {
    await using bed = await ProxyBed.start({ APISERVER_PROXY: 'true' })
    const socket = await bed.open()
    const session = connect('http://kube', { createConnection: () => socket })
    const several = Object.fromEntries(
      ['Impersonate-User', 'impersonate-group', 'impersonate-extra-scopes', 'impersonate_uid', 'x-remote-user'].map(
        (name) => [name, ['system:admin', 'system:masters']],
      ),
    )
    const asked = { ':method': 'POST', ':path': '/api', authorization: 'Bearer stolen', ...several }
    const stream = session.request(asked, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'impersonate-user': 'system:admin' }))
    stream.end('x')
    const [{ ':status': status }] = (await once(stream.resume(), 'response')) as [Record<string, unknown>]
    expect([status, bed.upstream.forwards.map(({ body }) => body)]).toEqual([200, ['x']])
    expect(pairsOf(bed.upstream.forwards[0]?.headers ?? []).filter(([name]) => isIdentity(name))).toEqual([
      ['Authorization', 'Bearer proxy-token'],
      ['Impersonate-User', 'alice@example.com'],
    ])
    session.destroy()
  })

  it('is not whoever has the address of an open connection later', async () => {
    await using bed = await ProxyBed.start({ APISERVER_PROXY: 'true' })
    const socket = await bed.open()
    const session = connect('http://kube', { createConnection: () => socket })
    const status = async (): Promise<unknown> => {
      const stream = session.request({ ':path': '/api' })
      const [headers] = (await once(stream.resume(), 'response')) as [Record<string, unknown>]
      return headers[':status']
    }
    expect(await status()).toBe(200)
    bed.tailscaled.whois = (address) => aWhois(address, { login: 'bob@example.com', node: { StableID: 'nOther' } })
    bed.tailscaled.change()
    await expect.poll(status).toBe(403)
    expect(JSON.stringify(bed.upstream.forwards)).not.toContain('bob@')
    expect((await bed.ask()).status).toBe(200)
    expect(JSON.stringify(bed.upstream.forwards.at(-1))).toContain('bob@')
    session.destroy()
  })

  it('without impersonation is who the headers say, all of them, and nothing of the proxy is added', async () => {
    await using bed = await ProxyBed.start({ APISERVER_PROXY: 'noauth' })
    // More headers than Node keeps by default: it would leave out the rest, and the request would be another one's.
    await bed.raw(`GET /api HTTP/1.1\r\nHost: kube\r\n${'A: b\r\n'.repeat(3000)}${lines}Connection: close\r\n\r\n`)
    const its = pairsOf(bed.upstream.forwards[0]?.headers ?? [])
    expect(its.filter(([name]) => name === 'A').length).toBe(3000)
    expect(its.filter(([name]) => isIdentity(name))).toEqual(disguises.slice(0, -2))
    expect(JSON.stringify(bed.upstream.forwards)).not.toContain('proxy-token')
  })

  it.each(['auth', 'noauth'])(
    'cannot be asked by a server without a certificate of the authority: %s',
    async (mode) => {
      await using bed = await ProxyBed.start({ APISERVER_PROXY: mode })
      await using other = await ProxyBed.start({ APISERVER_PROXY: mode, KUBERNETES_SERVICE_HOST: 'localhost' })
      // The name is not in its certificate.
      const answer = await other.ask({ headers: { host: '127.0.0.1' } })
      expect(answer.status).toBe(502)
      expect([bed.upstream.forwards.length, other.upstream.forwards.length]).toEqual([0, 0])
    },
  )

  it.each<[string, number, Readonly<Record<string, string>>]>([
    ['token', 500, { token: '' }],
    ['token with a line break', 500, { token: 'a\r\nImpersonate-User: admin' }],
    ['authority', 500, { 'ca.crt': '' }],
    ['authority of another', 502, { 'ca.crt': '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n' }],
  ])('cannot be said without the proxy’s own %s', async (_what, status, files) => {
    await using bed = await ProxyBed.start({ APISERVER_PROXY: 'auth' })
    bed.writeAccount(files)
    const answer = await bed.ask()
    expect([answer.status, bed.upstream.forwards.length]).toEqual([status, 0])
    expect(answer.body).toContain('"kind":"Status"')
    expect(answer.body).not.toContain('proxy-token')
  })
})

it('a page of another site gets no session as whoever looks at it', async () => {
  await using bed = await ProxyBed.start({ APISERVER_PROXY: 'auth' })
  const change = 'Connection: Upgrade\r\nUpgrade: websocket\r\nOrigin: https://other.example.com\r\n'
  const answer = await bed.raw(`GET /api/v1/namespaces/a/pods/b/exec HTTP/1.1\r\nHost: kube\r\n${change}\r\n`)
  expect(answer).toMatch(/^HTTP\/1\.1 403 .*"kind":"Status"/s)
  expect(bed.upstream.forwards).toEqual([])
})

it.each(['auth', 'noauth'])('no credentials are in the audit, the log or a refusal: %s', async (mode) => {
  await using bed = await ProxyBed.start({ APISERVER_PROXY: mode })
  bed.upstream.answer = (_forward, response) => void response.destroy()
  const path = '/api/v1/namespaces/a/pods/b/exec?command=stolen'
  const headers = { authorization: 'Bearer stolen', cookie: 'stolen', 'x-any': 'stolen' }
  const answer = await bed.ask({ path, headers })
  expect(answer.status).toBe(502)
  const change = 'Connection: Upgrade\r\nUpgrade: websocket\r\nAuthorization: Bearer stolen\r\n'
  const protocols = 'Sec-WebSocket-Protocol: v5.channel.k8s.io, base64url.bearer.authorization.k8s.io.c3RvbGVu\r\n'
  await bed.raw(`GET ${path} HTTP/1.1\r\nHost: kube\r\n${change}${protocols}\r\n`)
  await bed.raw(`GET /x HTTP/1.1\r\nHost: kube\r\nAuthorization: Bearer stolen\r\nbad header\r\n\r\n`)
  await bed.audited({ refused: 'upstream' })
  await bed.audited({ resource: 'pods/exec', status: 403 })
  await bed.audited({ refused: 'malformed' })
  await bed.logged(/the API server did not answer/)
  expect(bed.said + answer.body).not.toMatch(/stolen|c3RvbGVu|proxy-token/)
})

it('a connection that is cut within a body is no whole request', async () => {
  await using bed = await ProxyBed.start({ APISERVER_PROXY: 'auth' })
  const socket = await bed.open()
  const broken = Promise.withResolvers<void>()
  bed.upstream.answer = () => broken.reject(new Error('it was answered'))
  socket.write('POST /api HTTP/1.1\r\nHost: kube\r\nContent-Length: 10\r\n\r\nxxx')
  await expect.poll(() => bed.upstream.forwards.length).toBe(1)
  socket.destroy()
  await once(socket, 'close')
  await bed.audited({ method: 'POST', stage: 'ended' })
  broken.resolve()
  await broken.promise
  expect(bed.upstream.forwards[0]?.body).toBe('')
})
