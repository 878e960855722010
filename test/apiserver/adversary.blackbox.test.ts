import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { aWhois, granting, groups } from './a-whois.ts'
import { data, headers, sendFrames } from './http2-frames.ts'
import { malformed } from './malformed.ts'
import { ProxyBed } from './proxy-bed.ts'
import { proxyHeader } from './proxy-header.ts'

describe.each(['auth', 'noauth'])('in the mode %s, nothing is passed on', (mode) => {
  let bed: ProxyBed
  beforeAll(async () => {
    bed = await ProxyBed.start({ APISERVER_PROXY: mode })
  })
  afterAll(async () => {
    await bed[Symbol.asyncDispose]()
  })
  beforeEach(() => bed.upstream.reset())
  const forwards = (): number => bed.upstream.forwards.length

  it.each(malformed)('of a request with %s', async (_what, bytes) => {
    const answer = await bed.raw(bytes)
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /)
    expect(answer).toMatch(/"kind":"Status".*"status":"Failure"/)
    expect(answer.match(/HTTP\/1\.1 /g)?.length).toBe(1)
    expect(forwards()).toBe(0)
  })

  const good = [
    [':method', 'GET'],
    [':scheme', 'https'],
    [':authority', 'kube'],
    [':path', '/api'],
  ] as const
  const without = (name: string) => good.filter(([one]) => one !== name)
  it.each<[string, readonly Buffer[]]>([
    ['two paths', [headers(1, [...good, [':path', '/hidden']])]],
    ['two authorities', [headers(1, [...good, [':authority', 'other']])]],
    ['two methods', [headers(1, [...good, [':method', 'POST']])]],
    ['no path', [headers(1, without(':path'))]],
    ['an empty path', [headers(1, [...without(':path'), [':path', '']])]],
    ['the path *', [headers(1, [...without(':path'), [':path', '*']])]],
    ['a path that is a URL', [headers(1, [...without(':path'), [':path', 'http://other/api']])]],
    ['a path with a line break', [headers(1, [...without(':path'), [':path', '/api HTTP/1.1\r\nX: y']])]],
    ['no method', [headers(1, without(':method'))]],
    ['a method with a line break', [headers(1, [...without(':method'), [':method', 'GET /hidden HTTP/1.1\r\n']])]],
    ['no authority', [headers(1, without(':authority'))]],
    ['another host', [headers(1, [...good, ['host', 'other']])]],
    ['a pseudo header that is unknown', [headers(1, [...good, [':impersonate-user', 'admin']])]],
    ['a pseudo header after another', [headers(1, [['x', 'y'], ...good])]],
    ['the status of an answer', [headers(1, [...good, [':status', '200']])]],
    ['a name in large letters', [headers(1, [...good, ['Impersonate-User', 'admin']])]],
    ['spaces around a value', [headers(1, [...good, ['impersonate-user', ' admin']])]],
    ['a header of the connection', [headers(1, [...good, ['connection', 'x']])]],
    ['a change of protocol', [headers(1, [...good, ['upgrade', 'websocket']])]],
    ['chunks', [headers(1, [...good, ['transfer-encoding', 'chunked']])]],
    [
      'a tunnel',
      [
        headers(1, [
          [':method', 'CONNECT'],
          [':authority', 'kube:443'],
        ]),
      ],
    ],
    [
      'WebSocket in a stream',
      [headers(1, [[':method', 'CONNECT'], [':protocol', 'websocket'], ...without(':method')])],
    ],
    ['less than its length', [headers(1, [...good, ['content-length', '9']], true), data(1, 'x')]],
    ['more than its length', [headers(1, [...good, ['content-length', '1']], true), data(1, 'xx')]],
    ['two lengths', [headers(1, [...good, ['content-length', '1'], ['content-length', '2']], true), data(1, 'x')]],
    ['a stream of the server', [headers(2, good)]],
  ])('of a request of HTTP/2 with %s', async (_what, frames) => {
    const socket = await bed.open()
    await sendFrames(socket, frames)
    socket.destroy()
    await bed.ask({ path: '/next' })
    expect(bed.upstream.forwards.map(({ target }) => target)).toEqual(['/next'])
  })

  // Node leaves these out without a word. They could only be for the caller's own rights.
  it.each<[string, string, string]>([
    ['a line break in its value', 'x', 'a\r\nimpersonate-user: admin'],
    ['a zero byte in its value', 'impersonate-user', 'a\0b'],
    ['a name that hides another', 'x: y\r\nimpersonate-user', 'admin'],
    ['no name', '', 'admin'],
  ])('of a header of HTTP/2 with %s', async (_what, name, value) => {
    const socket = await bed.open()
    await sendFrames(socket, [headers(1, [...without(':path'), [':path', '/left-out'], [name, value]])])
    await expect.poll(forwards).toBe(1)
    socket.destroy()
    expect(bed.upstream.forwards[0]?.headers.join('\n')).not.toMatch(/admin|a\0b|x: y/)
  })

  it.each<[string, Buffer]>([
    ['no PROXY header', Buffer.alloc(0)],
    ['one of version 1', Buffer.from('PROXY TCP4 100.64.0.7 100.64.0.1 4711 443\r\n')],
    ['one for this machine', proxyHeader('127.0.0.1', 4711)],
    ['one for this machine, as IPv6', proxyHeader('::ffff:7f00:1', 4711)],
    ['one of a local connection', Buffer.from('\r\n\r\n\0\r\nQUIT\n\x20\0\0\0', 'latin1')],
  ])('of a connection with %s, and nothing is answered', async (_what, header) => {
    const request = Buffer.from('GET /api HTTP/1.1\r\nHost: kube\r\n\r\n')
    expect(await bed.raw(Buffer.concat([header, request]), await bed.openBare())).toBe('')
    expect(forwards()).toBe(0)
  })

  it('of a connection with two PROXY headers', async () => {
    const answer = await bed.raw(
      Buffer.concat([proxyHeader('100.64.0.9', 1), Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n')]),
    )
    expect(answer).toMatch(/^HTTP\/1\.1 400 /)
    expect(forwards()).toBe(0)
  })

  // Nobody listens there.
  const unreachable = { enforceRecorder: true, recorderAddrs: ['100.64.0.9:1', 'nonsense', '[::1]:1'] }
  const mebibytes = (count: number): string => 'x'.repeat(count * 1024 * 1024)
  it.each<[string, number, (bed: ProxyBed) => ProxyBed['tailscaled']['whois']]>([
    ['does not know the peer', 403, () => (_, response) => void response.writeHead(404).end('no match')],
    ['fails', 503, () => (_, response) => void response.writeHead(500).end('failed')],
    ['refuses to say', 503, () => (_, response) => void response.writeHead(403).end('denied')],
    ['sends elsewhere', 503, () => (_, response) => void response.writeHead(302, { location: '/' }).end()],
    ['ends the connection', 503, () => (_, response) => void response.destroy()],
    [
      'ends the connection in its answer',
      503,
      () => (_, response) =>
        void response.writeHead(200, { 'content-length': 99 }).write('{', () => response.destroy()),
    ],
    ['says nothing', 503, () => () => ''],
    ['says something else', 503, () => () => '[]'],
    ['names another node', 503, () => () => aWhois('100.64.0.99')],
    ['says too much', 503, () => () => mebibytes(20)],
    [
      'names too many groups',
      403,
      () => (address) =>
        aWhois(address, { capMap: granting(groups(...Array.from({ length: 9000 }, (_, at) => `group-${at}`))) }),
    ],
    [
      'names a group that is too long',
      403,
      () => (address) => aWhois(address, { capMap: granting(groups(mebibytes(1))) }),
    ],
    ['has a policy of another type', 403, () => (address) => aWhois(address, { capMap: granting('system:masters') })],
    [
      'has a user with a line break',
      403,
      () => (address) => aWhois(address, { login: 'a\r\nImpersonate-Group: system:masters' }),
    ],
    [
      'has a component of Kubernetes for a user',
      403,
      () => (address) => aWhois(address, { login: 'system:apiserver' }),
    ],
    [
      'has a policy that wants a record',
      403,
      () => (address) => aWhois(address, { capMap: granting({ enforceRecorder: true }) }),
    ],
    [
      'has a policy that wants a record of requests, which nobody takes',
      503,
      () => (address) => aWhois(address, { capMap: granting({ ...unreachable, enableEvents: true }) }),
    ],
    [
      'has two rules, of which one wants a record, and the other one of requests',
      503,
      () => (address) =>
        aWhois(address, { capMap: granting({ enableEvents: true }, { ...unreachable, impersonate: {} }) }),
    ],
  ])('when tailscaled %s', async (_what, status, whois) => {
    bed.tailscaled.change()
    bed.tailscaled.whois = whois(bed)
    // Of another peer each time, so that nothing is known of it.
    const answer = await bed.ask({ from: `100.64.7.${1 + (bed.tailscaled.asked.length % 250)}` })
    expect([answer.status, answer.headers['content-type']]).toEqual([status, 'application/json'])
    expect(JSON.parse(answer.body)).toMatchObject({ kind: 'Status', status: 'Failure', code: status })
    expect(forwards()).toBe(0)
  })

  it.each([
    [503, 'POST', 'SPDY/3.1', 'exec?command=sh'],
    [503, 'GET', 'websocket', 'attach'],
    [403, 'GET', 'SPDY/3.1', 'exec'],
    [403, 'POST', 'websocket', 'exec'],
    [403, 'POST', 'SPDY/3.1', 'exec/'],
    [403, 'POST', 'SPDY/3.1', 'portforward'],
  ] as const)('of a session that must be recorded, but %i: %s, %s, %s', async (status, method, protocol, path) => {
    bed.tailscaled.whois = (address) => aWhois(address, { capMap: granting(unreachable) })
    const names = `Connection: Upgrade\r\nUpgrade: ${protocol}\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n`
    const target = `/api/v1/namespaces/a/pods/b/${path}`
    const request = `${method} ${target} HTTP/1.1\r\nHost: kube\r\n${names}\r\n`
    const answer = await bed.raw(request, await bed.open('100.64.8.1'))
    expect(answer).toContain(`HTTP/1.1 ${status} `)
    expect(answer).toContain('"kind":"Status"')
    expect(forwards()).toBe(0)
  })

  it('late, by any of these', async () => {
    bed.tailscaled.whois = (address) => aWhois(address)
    expect((await bed.ask({ path: '/last', from: '100.64.9.2' })).status).toBe(200)
    expect(bed.upstream.forwards.map(({ target }) => target)).toEqual(['/last'])
    expect(bed.upstream.targets.filter((target) => !['/next', '/last', '/left-out'].includes(target))).toEqual([])
  })
})
