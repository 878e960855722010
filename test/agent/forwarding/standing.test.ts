import { describe, expect, it } from 'vitest'
import { forwardingKey, planForwarding } from '../../../agent/forwarding/reconciler.ts'
import { egressStatus, ingressStatus } from '../../../agent/forwarding/standing.ts'
import type { World } from '../../../agent/world/world.ts'
import { noPeers, type Peers } from '../../../localapi/peers.ts'
import { type EgressServices, parseEgressServices } from '../../../wire/egress-services.ts'
import { type IngressServices, parseIngressServices } from '../../../wire/ingress-services.ts'
import { aReport, aWorld } from '../a-world.ts'
import { aPeer, peersOf } from '../targets/peers.ts'
import { parseEgressStatus } from '../../../wire/services-status.ts'

const env = {
  TS_USERSPACE: 'false',
  KUBERNETES_SERVICE_HOST: '10.96.0.1',
  POD_IPS: '10.0.0.5',
  TS_EGRESS_PROXIES_CONFIG_PATH: '/etc/proxies',
  TS_INGRESS_PROXIES_CONFIG_PATH: '/etc/ingress/ingress-config.json',
}
const peersAt = (address: string): Peers => peersOf(aPeer('db.lab.ts.net.', [address]))
const egressOf = (services: object): EgressServices => parseEgressServices(Buffer.from(JSON.stringify(services)))
const ingressOf = (services: object): IngressServices => parseIngressServices(Buffer.from(JSON.stringify(services)))
const db = (matchPort: number) => ({
  tailnetTarget: { ip: '', fqdn: 'db.lab.ts.net' },
  ports: [{ protocol: 'TCP', matchPort, targetPort: 5432 }],
})
const mapping = (ClusterIP: string) => ({ IPv4Mapping: { TailscaleServiceIP: '100.100.0.1', ClusterIP } })

type Facts = {
  egress?: object
  ingress?: object
  peers?: Peers
  contacted?: string[]
  kernel?: World['kernelFamilies']
}
const base = aWorld()
const world = ({ egress = {}, ingress = {}, peers = peersAt('100.64.0.9'), contacted = ['db'], kernel }: Facts) =>
  aWorld(
    {
      tailnet: { ...base.tailnet, peers },
      mounted: {
        egressServices: { content: egressOf(egress) },
        ingressServices: { content: ingressOf(ingress) },
      },
      contact: { services: new Set(contacted) },
      ...(kernel && { kernelFamilies: kernel }),
      reports: {},
    },
    env,
  )
/** A World that wants `now`; the rules last read back are of `then`, and `error` occurred since. */
const standing = (now: Facts, then: Facts = now, error?: string): World => {
  const verified = planForwarding(world(then))
  const desired = planForwarding(world(now))
  const report = aReport(desired, { verified, ...(error !== undefined && { error }) })
  return { ...world(now), reports: { [forwardingKey.name]: report } }
}
/** The same, while rules of `coming` are replacing those in place. */
const replaced = (now: Facts, coming: Facts): World => {
  const before = standing(now)
  const report = { ...before.reports[forwardingKey.name]!, attempting: planForwarding(world(coming)) }
  return { ...before, reports: { [forwardingKey.name]: report } }
}
const listed = (status: { text: string } | undefined, key: 'services' | 'configs') =>
  status && Object.keys((JSON.parse(status.text) as Record<string, object | null>)[key] ?? {})

describe('a service of ProxyGroup egress is listed', () => {
  it.each<[string, World, string[] | undefined]>([
    ['once its rules have been read back', standing({ egress: { db: db(10_000) } }), ['db']],
    ['not before any rules have been read back', { ...world({ egress: { db: db(10_000) } }), reports: {} }, undefined],
    ['not while its target is unknown', standing({ egress: { db: db(10_000) }, peers: noPeers }), []],
    ['not before its target has answered', standing({ egress: { db: db(10_000) }, contacted: [] }), []],
    [
      'not as it is wanted again, while other rules of it are being programmed',
      replaced({ egress: { db: db(10_000) } }, { egress: { db: db(10_001) } }),
      [],
    ],
    ['not as it was, if rules of it have never been read back', standing({ egress: { db: db(10_001) } }, {}), []],
    [
      'not as it was, once its target is unknown',
      standing({ egress: { db: db(10_001) }, peers: noPeers }, { egress: { db: db(10_000) } }),
      [],
    ],
    [
      'not while its rules are being removed, though it is wanted again',
      replaced({ egress: { db: db(10_000) } }, {}),
      [],
    ],
    [
      'while its rules are being replaced by some that have it, too',
      replaced({ egress: { db: db(10_000) } }, { egress: { db: db(10_000), other: db(10_001) } }),
      ['db'],
    ],
    [
      'while the rules still have the previous address of its target',
      standing({ egress: { db: db(10_000) }, peers: peersAt('100.64.0.10') }, { egress: { db: db(10_000) } }),
      ['db'],
    ],
    [
      'also with another health URL',
      standing(
        { egress: { db: { ...db(10_000), healthCheckEndpoint: 'http://a.test/' } } },
        { egress: { db: db(10_000) } },
      ),
      ['db'],
    ],
    ['not when it is no longer configured', standing({}, { egress: { db: db(10_000) } }), []],
    [
      'still, after the rules could not be changed',
      standing({ egress: { db: db(10_000) } }, undefined, 'nft failed'),
      ['db'],
    ],
  ])('%s', (_name, now, services) => {
    expect(listed(egressStatus(now), 'services')).toEqual(services)
  })

  it('as it was, until the rules that replace its own have been read back', () => {
    const [now, then] = [{ egress: { db: db(10_001) } }, { egress: { db: db(10_000) } }]
    const changing = standing(now, then)
    const { [forwardingKey.name]: report } = changing.reports
    const replacing = { ...changing, reports: { [forwardingKey.name]: { ...report!, attempting: report!.desired } } }
    const portsIn = (one: World) =>
      parseEgressStatus(egressStatus(one)!.text)!.services.map(({ service }) => service.ports[0]!.matchPort)
    expect([changing, replacing, standing(now)].map(portsIn)).toEqual([[10_000], [10_000], [10_001]])
  })

  it('with the addresses of its rules', () => {
    const now = standing({ egress: { db: db(10_000) }, peers: peersAt('100.64.0.10') }, { egress: { db: db(10_000) } })
    expect(egressStatus(now)?.text).toContain('"tailnetTargetIPs":["100.64.0.9"]')
  })
})

describe('a Tailscale Service of ProxyGroup ingress is listed', () => {
  it.each<[string, World, string[] | undefined]>([
    ['once its rules have been read back', standing({ ingress: { 'svc:web': mapping('10.0.0.1') } }), ['svc:web']],
    [
      'not with another backend than that of its rules',
      standing({ ingress: { 'svc:web': mapping('10.0.0.2') } }, { ingress: { 'svc:web': mapping('10.0.0.1') } }),
      [],
    ],
    [
      'with a family that the kernel lacks, if it has the other',
      standing({
        ingress: {
          'svc:web': {
            ...mapping('10.0.0.1'),
            IPv6Mapping: { TailscaleServiceIP: 'fd7a:115c:a1e0::64', ClusterIP: 'fd00::1' },
          },
        },
        kernel: [4],
      }),
      ['svc:web'],
    ],
    [
      'not when the kernel lacks all its families',
      standing({ ingress: { 'svc:web': mapping('10.0.0.1') }, kernel: [6] }),
      [],
    ],
  ])('%s', (_name, now, services) => {
    expect(listed(ingressStatus(now), 'configs')).toEqual(services)
  })
})

it('services that do not fit into the Secret are listed there compressed', () => {
  const services = Object.fromEntries(
    Array.from({ length: 900 }, (_, index) => [
      `s${index}-${'x'.repeat(240)}`,
      {
        tailnetTarget: { ip: '100.64.0.9', fqdn: '' },
        ports: Array.from({ length: 12 }, (_unused, port) => ({
          protocol: 'TCP',
          matchPort: 10_000 + index * 12 + port,
          targetPort: 443,
        })),
      },
    ]),
  )
  const now = standing({ egress: services, contacted: Object.keys(services) })
  const status = egressStatus(now)
  expect(status).toEqual({ text: expect.stringMatching(/^gzip:/), omitted: [] })
  expect(Buffer.byteLength(status?.text ?? '')).toBeLessThan(500 * 1024)
  expect(parseEgressStatus(status?.text ?? '')?.services).toHaveLength(900)
})
