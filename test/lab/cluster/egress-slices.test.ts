import { describe, expect, it } from 'vitest'
import { egressEntry, egressObjects } from './egress-services.ts'
import { type ClusterService, type Replica, slicesOf } from './egress-slices.ts'

const spec = {
  name: 'db',
  target: { fqdn: 'db.lab.ts.net' },
  ports: [
    { port: 5432, protocol: 'TCP', matchPort: 10_000 },
    { port: 53, protocol: 'UDP', matchPort: 10_001 },
  ],
} as const
const made = egressObjects('egress', spec)[0] as ClusterService
const service = { ...made, spec: { ...made.spec, clusterIPs: ['10.96.0.9', 'fd96::9'] } }
const entry = egressEntry(spec)
const listed = { tailnetTarget: entry.tailnetTarget, ports: entry.ports }

/** A healthy replica, unless `status` or `metadata` says otherwise. */
function replica(status: object = {}, metadata: object = {}): Replica {
  return {
    pod: {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'egress-0', namespace: 'tailscale', uid: 'u-0', ...metadata },
      spec: {},
      status: { podIPs: [{ ip: '10.88.1.5' }, { ip: 'fd88::5' }] },
    },
    status: { podIPv4: '10.88.1.5', podIPv6: 'fd88::5', services: { 'default-db': listed }, ...status },
  }
}

const addresses = (one: Replica) =>
  slicesOf(service, entry, [one]).map((slice) =>
    (slice['endpoints'] as { addresses: string[] }[]).flatMap((endpoint) => endpoint.addresses),
  )

it('makes a slice of each family, with the Pods’ ports', () => {
  expect(slicesOf(service, entry, [replica()])).toMatchObject([
    {
      metadata: { name: 'ts-db-ipv4', namespace: 'tailscale', labels: { 'kubernetes.io/service-name': 'ts-db' } },
      addressType: 'IPv4',
      ports: [
        { name: 'tcp-5432', port: 10_000, protocol: 'TCP' },
        { name: 'udp-53', port: 10_001, protocol: 'UDP' },
        { name: 'tailscale-health-check', port: 9002, protocol: 'TCP' },
      ],
      endpoints: [{ addresses: ['10.88.1.5'], hostname: 'u-0' }],
    },
    { metadata: { name: 'ts-db-ipv6' }, addressType: 'IPv6', endpoints: [{ addresses: ['fd88::5'] }] },
  ])
})

const both = [['10.88.1.5'], ['fd88::5']]
const none = [[], []]

describe('a Pod is an endpoint', () => {
  it.each<[string, Replica, string[][]]>([
    ['when its status lists the service', replica(), both],
    [
      'whatever the order of its ports',
      replica({ services: { 'default-db': { ...listed, ports: listed.ports.toReversed() } } }),
      both,
    ],
    ['not while it is being deleted', replica({}, { deletionTimestamp: '2026-01-01T00:00:00Z' }), none],
    ['not with the status of another Pod', replica({ podIPv4: '10.88.1.4', podIPv6: 'fd88::4' }), none],
    ['only of the family that its status has', replica({ podIPv6: undefined }), [['10.88.1.5'], []]],
    ['not without the service', replica({ services: null }), none],
    [
      'not with another target',
      replica({ services: { 'default-db': { ...listed, tailnetTarget: { ip: '', fqdn: 'x' } } } }),
      none,
    ],
    [
      'not with other ports',
      replica({ services: { 'default-db': { ...listed, ports: listed.ports.slice(1) } } }),
      none,
    ],
  ])('%s', (_name, one, expected) => {
    expect(addresses(one)).toEqual(expected)
  })

  it('of no service that is not configured', () => {
    expect(slicesOf(service, undefined, [replica()]).map((slice) => slice['endpoints'])).toEqual([[], []])
  })
})
