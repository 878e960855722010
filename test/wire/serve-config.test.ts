import { expect, it } from 'vitest'
import { certificateDomains } from '../../wire/serve-config.ts'

it('Tailscale Services need certificates for sites on port 443 and for terminated TLS, and for nothing else', () => {
  const https = { TCP: { 443: { HTTPS: true } } }
  const site = { Handlers: {} }
  expect(
    certificateDomains({
      ...https,
      Web: { 'node.lab.ts.net:443': site },
      Services: {
        'svc:a': { ...https, Web: { 'a.lab.ts.net:443': site, 'a.lab.ts.net:80': site } },
        'svc:b': { TCP: { 5432: { TCPForward: 'db:5432', TerminateTLS: 'b.lab.ts.net' }, 1: { TCPForward: 'x:1' } } },
        'svc:c': { TCP: { 443: { TCPForward: 'db:5432', TerminateTLS: 'a.lab.ts.net' } } },
        'svc:d': { Tun: true },
      },
    }),
  ).toEqual(['a.lab.ts.net', 'b.lab.ts.net'])
  expect(certificateDomains({})).toEqual([])
})
