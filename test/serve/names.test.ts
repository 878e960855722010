import { expect, it } from 'vitest'
import { misnamed } from '../../serve/names.ts'
import type { ServeConfig } from '../../wire/serve-config.ts'

const own = 'app-1.lab.ts.net'
const handlers = { Handlers: { '/': { Text: 'x' } } }
const site = (name: string): ServeConfig => ({ TCP: { 443: { HTTPS: true } }, Web: { [`${name}:443`]: handlers } })
const tls = (name: string): ServeConfig => ({ TCP: { 5432: { TCPForward: 'a:1', TerminateTLS: name } } })
const funnel = (name: string): ServeConfig => ({ ...site(name), AllowFunnel: { [`${name}:443`]: true } })
const service = (parts: ServeConfig, name = 'svc:web'): ServeConfig => ({ Services: { [name]: parts } })

it.each<[string, ServeConfig, string[]]>([
  ['nothing', {}, []],
  ['the node’s name', site(own), []],
  ['another name with certificates', site('app.example.com'), []],
  ['a name below the node’s', site(`a.${own}`), []],
  ['the name that the node had', site('app.lab.ts.net'), ['port 443: app.lab.ts.net is app-1.lab.ts.net']],
  ['a name that only ends alike', site(`my${own}`), [`port 443: my${own} is ${own}`]],
  ['another spelling', site('App-1.lab.ts.net'), ['port 443: App-1.lab.ts.net is app-1.lab.ts.net']],
  ['a short name', site('app-1'), ['port 443: app-1 is app-1.lab.ts.net']],
  ['TLS', tls('app.lab.ts.net'), ['port 5432: app.lab.ts.net is app-1.lab.ts.net']],
  ['the node’s TLS', tls(own), []],
  ['Funnel to the name that the node had', funnel('app.lab.ts.net'), ['port 443: app.lab.ts.net is app-1.lab.ts.net']],
  ['Funnel by a domain of one’s own', funnel('shop.example.org'), []],
  [
    'Funnel to bytes, by the name that the node had',
    { TCP: { 5432: { TCPForward: 'a:1' } }, AllowFunnel: { 'app.lab.ts.net:5432': true } },
    ['port 5432: app.lab.ts.net is app-1.lab.ts.net'],
  ],
  [
    'one of two sites',
    { TCP: { 443: { HTTPS: true } }, Web: { [`${own}:443`]: handlers, 'b.c:443': handlers } },
    [`port 443: b.c is ${own}`],
  ],
  ['the name of a Tailscale Service', service(site('web.lab.ts.net')), []],
  ['TLS of a Tailscale Service', service(tls('web.lab.ts.net')), []],
  ['a Tailscale Service without names', service({ TCP: { 1: { TCPForward: 'a:1' } } }), []],
  [
    'the node’s name for a Tailscale Service',
    service(site(own)),
    [`svc:web: ${own} is web.lab.ts.net, that of svc:web`],
  ],
  [
    'a Tailscale Service of another tailnet',
    service(tls('web.other.ts.net')),
    ['svc:web: web.other.ts.net is web.lab.ts.net, that of svc:web'],
  ],
])('%s', (_what, config, told) => {
  const found = misnamed(config, own, [own, 'app.example.com'])
  expect(
    found.map((one) => `${one.entry}: ${one.name} is ${one.own}${one.service ? `, that of ${one.service}` : ''}`),
  ).toEqual(told)
})
