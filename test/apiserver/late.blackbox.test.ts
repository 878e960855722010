import { expect, it } from 'vitest'
import { ProxyBed } from './proxy-bed.ts'

it('nothing is passed on when tailscaled says nothing, and of a request or a connection that does not go on', async () => {
  await using bed = await ProxyBed.start({ APISERVER_PROXY: 'auth' })
  bed.tailscaled.whois = () => undefined
  const [silent, half, header, greeting] = await Promise.all([
    bed.ask(),
    bed.raw('GET /api HTTP/1.1\r\nHost: kube\r\nX'),
    bed.raw('\r\n\r\n', await bed.openBare()),
    bed.raw('', await bed.openBare()),
  ])
  expect([silent.status, header, greeting]).toEqual([503, '', ''])
  expect(half).toMatch(/^HTTP\/1\.1 4\d\d .*"kind":"Status"/s)
  expect(bed.upstream.forwards).toEqual([])
})
