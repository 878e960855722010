import { describe, expect, it } from 'vitest'
import { resolveServeConfig } from '../../serve/resolve.ts'
import { certDomain, type ServeConfig } from '../../wire/serve-config.ts'

const handlers = { Handlers: { '/': { Proxy: '10.0.0.9:80' } } }
const named = { TCP: { 443: { HTTPS: true } }, Web: { [`${certDomain}:443`]: handlers } }
const bytes = { 5432: { TCPForward: 'db:5432' } }
const service = { 'svc:a': { TCP: { 443: { HTTPS: true } }, Web: { 'a.lab.ts.net:443': handlers } } }
const redirect = {
  TCP: { 80: { HTTP: true } },
  Web: { 'other.lab.ts.net:80': { Handlers: { '/': { Redirect: `https://${certDomain}/` } } } },
}

describe('with a certificate domain', () => {
  it('the placeholder is replaced by it everywhere in the file', () => {
    const file = {
      TCP: { ...named.TCP, ...redirect.TCP, 5433: { TCPForward: 'db:5432', TerminateTLS: certDomain } },
      Web: { ...named.Web, ...redirect.Web },
      AllowFunnel: { [`${certDomain}:443`]: true },
    } as const
    expect(resolveServeConfig(file, 'n.lab.ts.net')).toEqual({
      config: {
        TCP: { ...file.TCP, 5433: { TCPForward: 'db:5432', TerminateTLS: 'n.lab.ts.net' } },
        Web: {
          'n.lab.ts.net:443': handlers,
          'other.lab.ts.net:80': { Handlers: { '/': { Redirect: 'https://n.lab.ts.net/' } } },
        },
        AllowFunnel: { 'n.lab.ts.net:443': true },
      },
      domain: 'n.lab.ts.net',
      withheld: [],
    })
  })
})

describe('without a certificate domain, only what needs it waits', () => {
  it.each<[string, ServeConfig, ServeConfig, string[]]>([
    ['HTTPS on a port of the node', named, {}, ['port 443']],
    ['also with a fixed name', { TCP: named.TCP, Web: { 'a.b:443': handlers } }, {}, ['port 443']],
    [
      'TLS that is terminated',
      { TCP: { 1: { TCPForward: 'x:1', TerminateTLS: 'a.b' }, ...bytes } },
      { TCP: bytes },
      ['port 1'],
    ],
    ['what has the placeholder', redirect, {}, ['port 80']],
    ['TCP forwarding does not wait', { TCP: bytes }, { TCP: bytes }, []],
    ['Tailscale Services do not wait', { ...named, Services: service }, { Services: service }, ['port 443']],
    [
      'unless they have the placeholder',
      { Services: { ...service, 'svc:b': { Web: named.Web } } },
      { Services: service },
      ['svc:b'],
    ],
  ])('%s', (_name, file, config, withheld) => {
    expect(resolveServeConfig(file, undefined)).toEqual({ config, domain: undefined, withheld })
  })
})

it('an invalid name counts as none', () => {
  expect(resolveServeConfig(named, 'a"b')).toEqual({ config: {}, domain: undefined, withheld: ['port 443'] })
})

const plain = { TCP: { 80: { HTTP: true } }, Web: { [`${certDomain}:80`]: handlers } }
it.each<[string, ServeConfig, ServeConfig, string[]]>([
  ["plain HTTP has the node's own name", plain, { ...plain, Web: { 'n.lab.ts.net:80': handlers } }, []],
  ['HTTPS waits', named, {}, ['port 443']],
  ['so does a redirect to it', redirect, {}, ['port 80']],
])('without a certificate domain: %s', (_what, file, config, withheld) => {
  expect(resolveServeConfig(file, undefined, 'n.lab.ts.net')).toEqual({ config, domain: undefined, withheld })
})

it.each([
  [certDomain, 'n.lab.ts.net', true],
  ['n.lab.ts.net', certDomain, true],
  [certDomain, 'other.lab.ts.net', false],
])('a site named %s matches the Funnel named %s: %s', (site, funnel, isKept) => {
  const file = { TCP: named.TCP, Web: { [`${site}:443`]: handlers }, AllowFunnel: { [`${funnel}:443`]: true } } as const
  const { AllowFunnel } = resolveServeConfig(file, 'n.lab.ts.net').config
  expect(AllowFunnel).toEqual(isKept ? { 'n.lab.ts.net:443': true } : undefined)
})
