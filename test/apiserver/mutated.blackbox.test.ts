import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { pairsOf } from '../../apiserver/headers.ts'
import { auth } from './asking.ts'
import { ProxyBed } from './proxy-bed.ts'

const hidden = 'GET /hidden HTTP/1.1\r\nHost: kube\r\nImpersonate-User: admin\r\n\r\n'
const requests = [
  `POST /api HTTP/1.1\r\nHost: kube\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n${hidden}`,
  `POST /api HTTP/1.1\r\nHost: kube\r\nContent-Length: ${hidden.length}\r\nX: y\r\n\r\n${hidden}`,
  `GET /api HTTP/1.1\r\nHost: kube\r\nX: y\r\n\r\n${hidden}`,
]
const bytes = fc.constantFrom('', '\r', '\n', '\r\n', '\0', ' ', '\t', ':', ',', ';', '0', '1', 'a', '\x80', '\v')
const change = fc.tuple(fc.nat(), fc.constantFrom(0, 1), bytes)
const changed = fc.tuple(fc.constantFrom(...requests), fc.array(change, { maxLength: 3 })).map(([request, changes]) =>
  changes.reduce((text, [where, cut, put]) => {
    const at = where % text.length
    return text.slice(0, at) + put + text.slice(at + cut)
  }, request),
)

it('whatever becomes of the bytes of a request, nothing is passed on as somebody else', async () => {
  await using bed = await ProxyBed.start(auth)
  const sockets = await Promise.all(
    fc.sample(changed, 300).map(async (text) => {
      const socket = await bed.open()
      socket.resume().write(text, 'latin1')
      return socket
    }),
  )
  // Most of them can still be read.
  await expect.poll(() => bed.upstream.forwards.length).toBeGreaterThan(100)
  await bed.ask()
  for (const socket of sockets) socket.destroy()
  for (const { headers } of bed.upstream.forwards)
    expect(pairsOf(headers).filter(([name]) => /^(?:authorization|impersonate)/i.test(name))).toEqual([
      ['Authorization', 'Bearer proxy-token'],
      ['Impersonate-User', 'alice@example.com'],
    ])
})
