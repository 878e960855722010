import * as fc from 'fast-check'
import { type Address, families, type Family, parseAddress } from '../../lib/address.ts'
import type { EgressPort, EgressService } from '../../wire/egress-services.ts'
import type { IngressMapping, IngressService } from '../../wire/ingress-services.ts'
import { certDomain, type ServeConfig, type ServeService, withoutEmpty } from '../../wire/serve-config.ts'
import { parseFullName } from '../../wire/tailnet-target.ts'

/** Anything that documents may say, for properties. Services are in the order of their names. */

const name = fc.string({
  unit: fc.integer({ min: 0x21, max: 0x7e }).map((unit) => String.fromCodePoint(unit)),
  minLength: 1,
  maxLength: 30,
})
const byName = (one: { readonly name: string }, other: { readonly name: string }): number =>
  one.name < other.name ? -1 : 1
const port = fc.integer({ min: 1, max: 65_535 })
const domain = fc.domain().filter((text) => parseFullName(text) !== undefined)

export const addresses: Readonly<Record<Family, fc.Arbitrary<Address>>> = {
  4: fc.ipV4().map((text) => parseAddress(text)!),
  6: fc
    .ipV6()
    .map((text) => parseAddress(text)!)
    .filter(({ family }) => family === 6),
}
export const address = fc.oneof(addresses[4], addresses[6])

const configuredTarget = fc.oneof(
  fc.record({ ip: address.map(({ text }) => text), fqdn: fc.string() }),
  fc.record({ ip: fc.constant(''), fqdn: domain }),
)
const configuredPort = fc.record({ protocol: fc.constantFrom('TCP', 'UDP', 'tcp', 'Udp'), targetPort: port })

/** Services no two of which have the same match port. */
export const egressServices: fc.Arbitrary<EgressService[]> = fc
  .uniqueArray(
    fc.record({
      name,
      tailnetTarget: configuredTarget,
      ports: fc.array(configuredPort, { maxLength: 4 }),
      healthCheckEndpoint: fc.oneof(fc.constant(''), fc.webUrl()),
    }),
    { selector: (service) => service.name, maxLength: 8 },
  )
  .map((services) => {
    let matchPort = 10_000
    return services.toSorted(byName).map(({ ports, tailnetTarget, ...service }) => ({
      ...service,
      tailnetTarget,
      target:
        tailnetTarget.ip === ''
          ? { kind: 'name', name: parseFullName(tailnetTarget.fqdn)! }
          : { kind: 'address', address: parseAddress(tailnetTarget.ip)! },
      ports: ports.map(({ protocol, targetPort }): EgressPort => {
        matchPort += 1
        const lower = protocol.toLowerCase() as 'tcp' | 'udp'
        const spelling = protocol === protocol.toUpperCase() ? {} : { spelling: protocol }
        return { protocol: lower, matchPort, targetPort, ...spelling }
      }),
    }))
  })

/** The address of a Tailscale Service, maybe none, and a backend; both as they might be spelled. */
const mapping = (family: Family): fc.Arbitrary<IngressMapping> =>
  fc.tuple(fc.option(addresses[family], { nil: undefined }), addresses[family]).map(([service, backend]) => ({
    address: service,
    backend,
    configured: { TailscaleServiceIP: service?.text.toUpperCase() ?? '', ClusterIP: backend.text },
  }))

/** Tailscale Services no two of which have the same address. */
export const ingressServices: fc.Arbitrary<IngressService[]> = fc
  .uniqueArray(
    fc.record({
      name: name.map((text) => `svc:${text}`),
      mappings: fc.oneof(
        fc.record({ 4: mapping(4) }),
        fc.record({ 6: mapping(6) }),
        fc.record({ 4: mapping(4), 6: mapping(6) }),
      ),
    }),
    { selector: (service) => service.name, maxLength: 8 },
  )
  .map((services) => services.toSorted(byName))
  .filter((services) =>
    families.every((family) => {
      const texts = services.flatMap(({ mappings }: IngressService) => mappings[family]?.address?.text ?? [])
      return new Set(texts).size === texts.length
    }),
  )

export const pod = fc.record({
  podIPv4: fc.oneof(fc.constant(''), fc.ipV4()),
  podIPv6: fc.oneof(fc.constant(''), fc.ipV6()),
})

const text = fc.string({ minLength: 1 })
const way = fc.oneof(
  fc.record({ Path: fc.constant('/srv/files') }),
  fc.record({ Proxy: fc.constantFrom('8080', 'http://10.0.0.9:8080/?a&b', 'unix:/run/app.sock') }),
  fc.record({ Text: text }),
  fc.record({ Redirect: fc.constantFrom('/new', '301:https://${HOST}${REQUEST_URI}') }),
)
const handler = fc
  .tuple(way, fc.array(text, { maxLength: 2 }))
  .map(([found, AcceptAppCaps]) => withoutEmpty({ ...found, AcceptAppCaps }))
const site = fc
  .dictionary(
    fc.webPath().map((path) => `/${path}`),
    handler,
    { minKeys: 1, maxKeys: 3 },
  )
  .map((Handlers) => ({ Handlers }))
const forwarding = fc.record(
  {
    TCPForward: fc.constantFrom('db.svc:5432', '[fd00::9]:1'),
    TerminateTLS: domain,
    ProxyProtocol: fc.constantFrom(1, 2),
  },
  { requiredKeys: ['TCPForward'] },
)
const web = fc.tuple(
  fc.constantFrom({ HTTPS: true }, { HTTP: true }),
  fc.dictionary(fc.oneof(domain, fc.constant(certDomain)), site, { minKeys: 1, maxKeys: 2 }),
)

/** Ports with their sites. */
const served = fc
  .dictionary(
    port.map(String),
    fc.oneof(
      forwarding.map((TCP) => ({ TCP, sites: {} })),
      web.map(([TCP, sites]) => ({ TCP, sites })),
    ),
    { maxKeys: 4 },
  )
  .map((ports): ServeService => {
    const all = Object.entries(ports)
    return withoutEmpty({
      TCP: Object.fromEntries(all.map(([number, { TCP }]) => [number, TCP])),
      Web: Object.fromEntries(
        all.flatMap(([number, { sites }]) =>
          Object.entries(sites).map(([host, found]) => [`${host}:${number}`, found]),
        ),
      ),
    })
  })
const label = fc.stringMatching(/^[a-z\d]([a-z\d-]{0,10}[a-z\d])?$/)

/** What can be served. */
export const serveConfig: fc.Arbitrary<ServeConfig> = fc
  .record({
    node: served,
    services: fc.dictionary(
      label.map((found) => `svc:${found}`),
      fc.oneof(
        fc.constant({ Tun: true }),
        served.filter((service) => Object.keys(service).length > 0),
      ),
      { maxKeys: 3 },
    ),
    funnel: fc.boolean(),
  })
  .map(({ node, services, funnel }) =>
    withoutEmpty({
      ...node,
      Services: services,
      AllowFunnel: Object.fromEntries(funnel ? Object.keys(node.Web ?? {}).map((found) => [found, true]) : []),
    }),
  )
