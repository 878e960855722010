import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { type DeviceConfigFile, parseDeviceConfigFile, renderDeviceConfigFile } from '../../wire/device-config.ts'
import { parseEgressServices, renderEgressServices } from '../../wire/egress-services.ts'
import { parseHealthPings, renderHealthPings } from '../../wire/health-pings.ts'
import { parseIngressServices, renderIngressServices } from '../../wire/ingress-services.ts'
import { parseServeFile, renderServeFile } from '../../wire/serve-file.ts'
import {
  parseEgressStatus,
  parseIngressStatus,
  renderEgressStatus,
  renderIngressStatus,
} from '../../wire/services-status.ts'
import { address, egressServices, ingressServices, pod, serveConfig } from './documents.ts'

const byName = <Service extends { readonly name: string }>(services: readonly Service[]): Map<string, Service> =>
  new Map(services.map((service) => [service.name, service]))

it('egress services are read as written', () => {
  fc.assert(
    fc.property(egressServices, (services) => {
      const read = parseEgressServices(Buffer.from(renderEgressServices(services)))
      expect(read).toEqual({ services: byName(services), rejections: [] })
      expect([...read.services.keys()]).toEqual(services.map(({ name }) => name))
    }),
  )
})

it('ingress services are read as written', () => {
  fc.assert(
    fc.property(ingressServices, (services) => {
      const read = parseIngressServices(Buffer.from(renderIngressServices(services)))
      expect(read).toEqual({ services: byName(services), rejections: [] })
    }),
  )
})

it('the number of pings is read as written, and never above what is accepted', () => {
  fc.assert(
    fc.property(fc.nat(5000), (pings) => {
      expect(parseHealthPings(Buffer.from(renderHealthPings(pings)))).toBe(Math.min(pings, 1000))
    }),
  )
})

it('the egress status is read as written', () => {
  fc.assert(
    fc.property(pod, egressServices, fc.array(address, { maxLength: 3 }), (ips, services, addresses) => {
      const listed = services.map(({ name, ports, tailnetTarget }) => ({
        service: { name, ports, tailnetTarget },
        addresses,
      }))
      const { text } = renderEgressStatus({ ...ips, services: listed.toReversed() }, Infinity)
      expect(parseEgressStatus(text)).toEqual({ ...ips, services: listed })
    }),
  )
})

it('the ingress status is read as written', () => {
  fc.assert(
    fc.property(pod, ingressServices, (ips, services) => {
      const { text } = renderIngressStatus({ ...ips, services: services.toReversed() }, Infinity)
      expect(parseIngressStatus(text)).toEqual({ ...ips, services })
    }),
  )
})

it('a serve config is read as written', () => {
  fc.assert(
    fc.property(serveConfig, (config) => {
      const read = parseServeFile(Buffer.from(renderServeFile(config)))
      expect([read.config, read.rejections]).toEqual([config, []])
    }),
  )
})

it('a config file of tailscaled is read as written', () => {
  const text = fc.option(fc.string())
  const flag = fc.option(fc.boolean())
  const texts = fc.option(fc.array(fc.string(), { maxLength: 3 }))
  const file: fc.Arbitrary<DeviceConfigFile> = fc.record(
    {
      Locked: flag,
      ServerURL: text,
      AuthKey: text,
      Hostname: text,
      acceptDNS: flag,
      acceptRoutes: flag,
      AdvertiseRoutes: texts,
      AdvertiseServices: texts,
      AppConnector: fc.option(fc.record({ Advertise: flag }, { requiredKeys: [] })),
      NoStatefulFiltering: flag,
      AutoUpdate: fc.record({ Check: flag, Apply: flag }, { requiredKeys: [] }),
      ServeConfigTemp: fc.dictionary(
        fc.string().filter((name) => name !== '__proto__'),
        // Through text, which has no -0.
        fc.json().map((json): unknown => JSON.parse(json)),
      ),
      StaticEndpoints: texts,
      RelayServerPort: fc.option(fc.nat(65_535)),
      RelayServerStaticEndpoints: texts,
    },
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(file, (config) => {
      expect(parseDeviceConfigFile('f', Buffer.from(renderDeviceConfigFile(config)))).toEqual(config)
    }),
  )
})
