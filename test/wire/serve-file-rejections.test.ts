import { expect, it } from 'vitest'
import { parseServeFile } from '../../wire/serve-file.ts'

const proxy = { Handlers: { '/': { Proxy: '8080' } } }
const https = { TCP: { 443: { HTTPS: true } } }
const service = { ...https, Web: { 'app.lab.ts.net:443': proxy } }
const good = { TCP: { 9: { TCPForward: 'a:1' } }, Services: { 'svc:good': { Tun: true } } }

const port = (handler: unknown, key = '443') => ({ TCP: { [key]: handler } })
const site = (name: string, on: object = https) => ({ ...on, Web: { [name]: proxy } })
const handler = (value: unknown, mount = '/') => ({ ...https, Web: { 'a.b:443': { Handlers: { [mount]: value } } } })
const services = (name: string, value: unknown) => ({ Services: { [name]: value } })
const funnel = (name: string, value: unknown = true) => ({ ...site('a.b:443'), AllowFunnel: { [name]: value } })

const [at443, atSite] = ['port 443, TCP["443"]', 'port 443, Web["a.b:443"]']

it.each<[mistake: string, file: object, reported: string]>([
  ['a port that is not a number', port({ HTTPS: true }, 'https'), 'port https, TCP["https"]: a port is a whole number'],
  ['a port out of range', port({ HTTPS: true }, '65536'), 'port 65536, TCP["65536"]: a port is a whole number'],
  ['a port in another spelling', port({ HTTPS: true }, '0443'), 'port 0443, TCP["0443"]: a port is a whole number'],
  ['a boolean for a port', port(true), `${at443}: true is not an object`],
  ['a port without a kind', port({}), `${at443}: it has 0 of HTTPS, HTTP and TCPForward, and needs one`],
  ['a port of two kinds', port({ HTTP: true, TCPForward: 'a:1' }), `${at443}: it has 2 of HTTPS, HTTP and`],
  ['a wrong type', port({ HTTPS: 'true' }), `${at443}.HTTPS: "true" is not true or false`],
  [
    'TerminateTLS without TCPForward',
    port({ HTTPS: true, TerminateTLS: 'a.b' }),
    `${at443}.TerminateTLS: it needs TCPForward`,
  ],
  [
    'TerminateTLS without a valid name',
    port({ TCPForward: 'a:1', TerminateTLS: 'a b' }),
    `${at443}.TerminateTLS: "a b" is not a name`,
  ],
  [
    'PROXY protocol without TCPForward',
    port({ HTTP: true, ProxyProtocol: 1 }),
    `${at443}.ProxyProtocol: it needs TCPForward`,
  ],
  ['PROXY protocol 3', port({ TCPForward: 'a:1', ProxyProtocol: 3 }), `${at443}.ProxyProtocol: 3 is not 1 or 2`],
  [
    'PROXY protocol for a unix socket',
    port({ TCPForward: 'unix:/a', ProxyProtocol: 1 }),
    `${at443}.ProxyProtocol: it excludes unix`,
  ],
  [
    'a target without a port',
    port({ TCPForward: '10.0.0.9' }),
    `${at443}.TCPForward: "10.0.0.9" is not a host and port`,
  ],
  [
    'a target with a scheme',
    port({ TCPForward: 'tcp://a:1' }),
    `${at443}.TCPForward: "tcp://a:1" is not a host and port`,
  ],
  ['an empty target', port({ TCPForward: ':' }), `${at443}.TCPForward: ":" is not a host and port`],
  ['a dot as a target', port({ TCPForward: '.:1' }), `${at443}.TCPForward: ".:1" is not a host and port`],
  ['a site without a port', site('a.b', {}), 'port a.b, Web["a.b"]: a site is a name and a port'],
  [
    'a placeholder that compose has removed',
    site(':443'),
    'port 443, Web[":443"]: a site is a name and a port, such as app.example.ts.net:443; in a compose file write $${TS_CERT_DOMAIN}, since compose replaces ${TS_CERT_DOMAIN} itself',
  ],
  [
    'a placeholder escaped for compose',
    site('$${TS_CERT_DOMAIN}:443'),
    'port 443, Web["$${TS_CERT_DOMAIN}:443"]: a site is a name and a port, such as app.example.ts.net:443; $$ is for what is within a compose file: write ${TS_CERT_DOMAIN} here',
  ],
  ['a site without a valid name', site('a b:443'), 'port 443, Web["a b:443"]: a site is a name and a port'],
  [
    'a site without its port',
    site('a.b:443', {}),
    `${atSite}: TCP does not have its port: add "443": {"HTTPS": true} to it`,
  ],
  [
    'a site with another placeholder',
    site('${TS_HOSTNAME}:443'),
    'port 443, Web["${TS_HOSTNAME}:443"]: "${TS_HOSTNAME}" is not replaced by anything: write ${TS_CERT_DOMAIN}',
  ],
  [
    'TerminateTLS with another placeholder',
    port({ TCPForward: 'a:1', TerminateTLS: '${HOSTNAME}' }),
    `${at443}.TerminateTLS: "\${HOSTNAME}" is not replaced by anything: write \${TS_CERT_DOMAIN}`,
  ],
  [
    'a proxy to a placeholder',
    handler({ Proxy: 'http://$BACKEND:80' }),
    `${atSite}.Handlers["/"].Proxy: "$BACKEND" is not replaced by anything: write \${TS_CERT_DOMAIN}`,
  ],
  ['a site on a forwarded port', site('a.b:443', port({ TCPForward: 'a:1' })), `${atSite}: its port is forwarded`],
  [
    'a site without handlers',
    { ...https, Web: { 'a.b:443': {} } },
    `${atSite}: it has no Handlers: add "Handlers": {"/": `,
  ],
  ['a port without a site', https, `${at443}: no site is on this port: add "\${TS_CERT_DOMAIN}:443": {"Handlers": {`],
  ['a handler of two kinds', handler({ Text: 'x', Proxy: '80' }), `${atSite}.Handlers["/"]: it has 2 of Path, Proxy`],
  [
    'a handler without a kind',
    handler({}),
    `${atSite}.Handlers["/"]: it has 0 of Path, Proxy, Text, Redirect, and needs one`,
  ],
  ['a string for a handler', handler('x'), `${atSite}.Handlers["/"]: "x" is not an object`],
  ['a URL path without a leading slash', handler({ Text: 'x' }, 'x'), `${atSite}.Handlers["x"]: a path begins with /`],
  ['a relative path', handler({ Path: 'srv' }), `${atSite}.Handlers["/"].Path: "srv" is not an absolute path`],
  [
    'a proxy to another scheme',
    handler({ Proxy: 'ftp://a' }),
    `${atSite}.Handlers["/"].Proxy: "ftp://a" is not a port`,
  ],
  ['a proxy to no port', handler({ Proxy: '0' }), `${atSite}.Handlers["/"].Proxy: "0" is not a port`],
  ['a proxy to an empty host', handler({ Proxy: 'http://' }), `${atSite}.Handlers["/"].Proxy: "http://" is not a port`],
  [
    'a redirect as 200',
    handler({ Redirect: '200:https://a' }),
    `${atSite}.Handlers["/"].Redirect: "200:https://a" is not`,
  ],
  [
    'capabilities that are not a list',
    handler({ Text: 'x', AcceptAppCaps: 'a' }),
    `${atSite}.Handlers["/"].AcceptAppCaps: "a" is`,
  ],
  [
    'an invalid capability',
    handler({ Proxy: '80', AcceptAppCaps: [''] }),
    `${atSite}.Handlers["/"].AcceptAppCaps[0]: "" is not`,
  ],
  ['an empty Service', services('svc:a', {}), 'svc:a, Services["svc:a"]: nothing is served: add TCP, and Web for'],
  [
    'a Service without ports, sites and Tun',
    services('svc:a', { TCP: null, Web: {}, Tun: false }),
    'svc:a, Services["svc:a"]: nothing is served: add TCP, and Web for HTTPS and HTTP, or "Tun": true',
  ],
  [
    'a Service’s port without a site',
    services('svc:a', https),
    'svc:a, Services["svc:a"].TCP["443"]: no site is on this port: add "a.example.ts.net:443": {"Handlers": {',
  ],
  [
    'a Service in another format',
    services('svc:a', { endpoints: { 'tcp:443': 'http://localhost:3000' } }),
    'svc:a, Services["svc:a"].endpoints: this is the format of `tailscale serve get-config`',
  ],
  [
    'Funnel for a port that is not served',
    { AllowFunnel: { 'a.b:443': true } },
    'port 443, AllowFunnel["a.b:443"]: it is not served',
  ],
  ['Funnel with a number', funnel('a.b:443', 1), 'port 443, AllowFunnel["a.b:443"]: 1 is not true or false'],
  ['a Service without svc:', services('app', service), 'app, Services["app"]: the name of a Tailscale Service is svc:'],
  ['a Service of two labels', services('svc:a.b', service), 'svc:a.b, Services["svc:a.b"]: the name of a Tailscale'],
  ['null for a Service', services('svc:a', null), 'svc:a, Services["svc:a"]: it is missing: an object is needed'],
  ['Tun and ports', services('svc:app', { ...service, Tun: true }), 'svc:app, Services["svc:app"].Tun: it excludes'],
  [
    'a bad port of a Service',
    services('svc:a', port({ HTTP: true }, '0')),
    'svc:a, Services["svc:a"].TCP["0"]: a port',
  ],
  ['a name with a line break', services('svc:\n', service), '"svc:\\n", Services["svc:\\n"]: the name of a'],
])('%s is reported with its place, and only its entry is rejected', (_mistake, file, reported) => {
  const sections = ['TCP', 'Web', 'Services', 'AllowFunnel'] as const
  const section = (from: object, name: string) => (from as Record<string, object>)[name]
  const both = Object.fromEntries(sections.map((name) => [name, { ...section(good, name), ...section(file, name) }]))
  const { config, rejections, warnings } = parseServeFile(Buffer.from(JSON.stringify(both)))
  expect({ config, warnings }).toEqual({ config: good, warnings: [] })
  expect(rejections.map(({ entry, field, reason }) => `${entry}, ${field}: ${reason}`)).toEqual([
    expect.stringContaining(reported),
  ])
})

it('a Funnel without a site is rejected alone, and the site stays', () => {
  const { config, rejections, warnings } = parseServeFile(Buffer.from(JSON.stringify(funnel('c.b:443'))))
  expect([config, rejections]).toEqual([site('a.b:443'), []])
  expect(warnings).toEqual([
    {
      entry: 'port 443',
      field: 'AllowFunnel["c.b:443"]',
      reason: expect.stringMatching(/^it is not served.*ignored$/),
    },
  ])
})

it('fields that are comments are ignored everywhere', () => {
  const commented = {
    _comment: 'at the top',
    TCP: { _comment: 'of ports', 443: { HTTPS: true } },
    Web: { '//': 'of sites', 'a.b:443': { Handlers: { _comment: 'of paths', '/': { Proxy: '8080' } } } },
    Services: { '#': 'of Services' },
  }
  const { config, rejections } = parseServeFile(Buffer.from(JSON.stringify(commented)))
  expect([config, rejections]).toEqual([site('a.b:443'), []])
})

it('a whole file in the format of `tailscale serve get-config --service` changes nothing', () => {
  const file = { version: '0.0.1', endpoints: { 'tcp:443': 'http://localhost:3000' } }
  expect(() => parseServeFile(Buffer.from(JSON.stringify(file)))).toThrow(
    /^endpoints: this is the format of `tailscale serve get-config`.*: write TCP and Web, as `tailscale serve status --json`/,
  )
})
