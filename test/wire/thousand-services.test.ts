import { expect, it } from 'vitest'
import { parseEgressServices } from '../../wire/egress-services.ts'
import { parseIngressServices } from '../../wire/ingress-services.ts'
import { growth } from '../lib/processor-time.ts'

const count = 1000
const bad = 'ns-0500'
const parse = (document: object) => parseEgressServices(Buffer.from(JSON.stringify(document)))

/** A document of 1,000 services, in which `ns-0500` is changed. */
function documentWith(change: object): object {
  const entry = (index: number): [string, object] => {
    const name = `ns-${String(index).padStart(4, '0')}`
    const service = {
      healthCheckEndpoint: `http://${name}.ts.svc.cluster.local:9002/healthz`,
      tailnetTarget: { ip: '', fqdn: `${name}.lab.ts.net` },
      ports: ['TCP', 'UDP'].map((protocol) => ({ protocol, matchPort: 10_000 + index, targetPort: 80 })),
    }
    return [name, name === bad ? { ...service, ...change } : service]
  }
  return Object.fromEntries(Array.from({ length: count }, (_, index) => entry(index)))
}
const withPort = (change: object): object => ({
  ports: [{ protocol: 'TCP', matchPort: 10_500, targetPort: 80, ...change }],
})
const good = parse(documentWith({}))

it.each<[string, object, field: string]>([
  ['a malformed address', { tailnetTarget: { ip: '100.64.0.300', fqdn: '' } }, 'tailnetTarget.ip'],
  ['port 0', withPort({ matchPort: 0 }), 'ports[0].matchPort'],
  ['port 70000', withPort({ targetPort: 70_000 }), 'ports[0].targetPort'],
  ['an unknown protocol', withPort({ protocol: 'SCTP' }), 'ports[0].protocol'],
  ['a match port of another service', withPort({ matchPort: 10_499 }), 'ports[0].matchPort'],
  ['a wrong type', { ports: '80' }, 'ports'],
  ['a missing field', { tailnetTarget: undefined }, 'tailnetTarget'],
  ['neither address nor name', { tailnetTarget: { ip: '', fqdn: '' } }, 'tailnetTarget'],
])('%s rejects one service of 1,000', (_what, change, field) => {
  const document = documentWith(change)
  const { services, rejections } = parse(document)
  expect(rejections).toMatchObject([{ entry: bad, field }])
  const others = new Map(good.services)
  others.delete(bad)
  expect(services).toEqual(others)
})

it.each<[string, object]>([
  ['a name that no peer has', { tailnetTarget: { ip: '', fqdn: 'nobody.lab.ts.net' } }],
  ['the address of a Pod', { tailnetTarget: { ip: '10.88.1.2', fqdn: '' } }],
])('%s is not a mistake of the document', (_what, change) => {
  const { services, rejections } = parse(documentWith(change))
  expect(rejections).toEqual([])
  expect(services.size).toBe(count)
})

type Parse = (bytes: Buffer) => { services: ReadonlyMap<string, unknown>; rejections: readonly unknown[] }
const port = { protocol: 'TCP', matchPort: 80, targetPort: 80 }

it.each<[string, Parse, object, number]>([
  ['the same match port', parseEgressServices, { tailnetTarget: { ip: '100.64.0.9' }, ports: [port] }, 1],
  [
    'the same address',
    parseIngressServices,
    { IPv4Mapping: { TailscaleServiceIP: '1.1.1.1', ClusterIP: '1.1.1.1' } },
    1,
  ],
  ['nothing', parseEgressServices, {}, 0],
])('10,000 entries with %s take no more time for each than 500 do', (_what, parseBytes, entry, taken) => {
  const document = (size: number): Buffer => {
    const names = Array.from({ length: size }, (_, index) => `a${index}`)
    return Buffer.from(JSON.stringify(Object.fromEntries(names.map((name) => [name, entry]))))
  }
  const { services, rejections } = parseBytes(document(10_000))
  expect(services.size).toBe(taken)
  expect(rejections).toHaveLength(10_000 - taken)
  const prepare = (size: number) => {
    const bytes = document(size)
    return () => parseBytes(bytes)
  }
  expect(growth([500, 10_000], prepare)).toBeLessThan(1.5)
})

it.each<[string, string]>([
  ['lists', '['.repeat(500_000) + ']'.repeat(500_000)],
  ['objects', '{"a":'.repeat(150_000) + '1' + '}'.repeat(150_000)],
])('survives nested %s', (_what, nested) => {
  const { services, rejections } = parseEgressServices(
    Buffer.from(`{"a": {"tailnetTarget": {"ip": "100.64.0.9", "more": ${nested}}, "ports": ${nested}}}`),
  )
  expect(services.size).toBe(0)
  expect(rejections).toMatchObject([{ entry: 'a' }])
})
