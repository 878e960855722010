import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import type { EgressEntry } from '../../../wire/egress-services.ts'
import { entryOf } from '../../../operator/group-egress/cluster-service.ts'
import { lackOf, replicasIn } from '../../../operator/group-egress/replicas.ts'
import { endpointsOf, hasSlices, slices } from '../../../operator/group-egress/slices.ts'
import { settings, worldOf } from '../a-world.ts'
import { addresses, pod, read, state } from './a-group.ts'

const { namespace } = settings
const service = read()
const entry = entryOf(service, worldOf(), settings)!
const both = ['IPv4', 'IPv6'] as const

/** The Pods to which a Service leads by family, of a group with these objects. */
function endpoints(objects: readonly KubeObject[], wanted = 2): string[][] {
  const replicas = replicasIn(worldOf(...objects), namespace, 'eg', wanted)
  return slices(service, entry, replicas).map(({ endpoints: all }) =>
    (all as { hostname: string; addresses: string[] }[]).map(
      ({ hostname, addresses: of }) => `${hostname} ${of.join()}`,
    ),
  )
}
const uid = (ordinal: number, family: 0 | 1): string => `uid-pod-${ordinal} ${addresses(ordinal)[family]}`

describe('a Pod is an endpoint of a Service', () => {
  it('if its status has the Service, sorted by UID', () => {
    const all = [pod(1), pod(0), state(0, [entry]), state(1, [entry])]
    expect(endpoints(all)).toEqual([
      [uid(0, 0), uid(1, 0)],
      [uid(0, 1), uid(1, 1)],
    ])
  })

  const other = entryOf(read({ parent: { namespace: 'apps', name: 'other' } }), worldOf(), settings)!
  const [v4, v6] = addresses(0)
  it.each<[string, readonly KubeObject[], string]>([
    [
      'if it is being deleted',
      [pod(0, { metadata: { deletionTimestamp: 'now' } }), state(0, [entry])],
      'its Pod is being deleted',
    ],
    ['without a status', [pod(0)], 'its agent has not reported yet'],
    ['without any address yet', [pod(0, { ips: [] }), state(0, [entry])], 'its Pod has no IPv4 address'],
    [
      'if the status is that of an earlier Pod',
      [pod(0), state(0, [entry], { podIPv4: '10.88.0.99', podIPv6: 'fd88::99' })],
      'its agent has not reported yet',
    ],
    [
      'if it lists only other Services',
      [pod(0), state(0, [other])],
      'it does not forward it: the target may be missing, or not answer',
    ],
    [
      'if it lists it with no address of the target',
      [pod(0), state(0, [entry], { targets: [] })],
      'it does not forward it: the target may be missing, or not answer',
    ],
    [
      'if it lists it with other ports only',
      [pod(0), state(0, [{ ...entry, ports: [{ protocol: 'tcp', matchPort: 10_000, targetPort: 2 }] }])],
      'it still forwards it as it was before',
    ],
    ['if it does not exist', [state(0, [entry])], 'it has no Pod'],
  ])('not %s', (_what, objects, why) => {
    expect(endpoints(objects, 1)).toEqual([[], []])
    const [replica] = replicasIn(worldOf(...objects), namespace, 'eg', 1)
    expect(lackOf(replica!, entry, both)).toBe(why)
  })

  it('with a former target only while none has the changed one, and is told to be behind', () => {
    const old = { ...entry, tailnetTarget: { ip: '', fqdn: 'old.lab.ts.net' } }
    const [first, second] = [state(0, [old]), state(1, [old])]
    expect(endpoints([pod(0), pod(1), first, second])[0]).toEqual([uid(0, 0), uid(1, 0)])
    expect(endpoints([pod(0), pod(1), first, state(1, [entry])])[0]).toEqual([uid(1, 0)])
    const [replica] = replicasIn(worldOf(pod(0), first), namespace, 'eg', 1)
    expect(lackOf(replica!, entry, both)).toBe('it still forwards it as it was before')
    // One that no longer has the former one, and lacks the other.
    expect(endpoints([pod(0), state(0, [old], { targets: [] })], 1)).toEqual([[], []])
  })

  it('of one family only, if its status is for that family only', () => {
    expect(endpoints([pod(0), state(0, [entry], { podIPv6: '' })], 1)).toEqual([[uid(0, 0)], []])
    expect(endpoints([pod(0, { ips: [v6] }), state(0, [entry], { podIPv4: v4 })], 1)).toEqual([[], [uid(0, 1)]])
  })

  it('of the ports that it lists as they are to be, while others change, and the slice of those comes first', () => {
    const many = read({ ports: { 1: 10_001, 2: 10_002, 3: 10_003 }, families: ['IPv4'] })
    const wanted = entryOf(many, worldOf(), settings)!
    const [first, second, third] = wanted.ports
    const gone = { protocol: 'tcp', matchPort: 10_009, targetPort: 9 } as const
    const led = (...listed: readonly EgressEntry['ports'][]): readonly string[] => {
      const states = listed.map((ports, ordinal) => state(ordinal, [{ ...wanted, ports }]))
      const pods = listed.map((_ports, ordinal) => pod(ordinal))
      const replicas = replicasIn(worldOf(...pods, ...states), namespace, 'eg', listed.length)
      return slices(many, wanted, replicas).map(({ ports, endpoints: all }) => {
        const uids = (all as readonly { hostname: string }[]).map(({ hostname }) => hostname.replace('uid-pod-', ''))
        return `${(ports as readonly { port: number }[]).map(({ port }) => port).join()}: ${uids.join()}`
      })
    }
    const whole = '10001,10002,10003,9002:'
    expect(led(wanted.ports)).toEqual([`${whole} 0`])
    // A port is added, and another one removed.
    expect(led([first!, second!, gone], wanted.ports)).toEqual(['10001,10002,9002: 0', `${whole} 1`])
    expect(led([...wanted.ports, gone])).toEqual([`${whole} 0`])
    // Both lead elsewhere by now.
    expect(led([first!, { ...second!, targetPort: 8 }, third!], [first!])).toEqual([
      '10001,10003,9002: 0',
      '10001,9002: 1',
      `${whole} `,
    ])
    const names = slices(
      many,
      wanted,
      replicasIn(worldOf(pod(0), state(0, [{ ...wanted, ports: [first!] }])), namespace, 'eg', 1),
    )
    expect(names.map(({ metadata: { name } }) => name)).toEqual([
      expect.stringMatching(/^ts-db-abcde-ipv4-[0-9a-f]{8}$/),
      'ts-db-abcde-ipv4',
    ])
  })

  it('in whatever order its ports are listed', () => {
    const many = read({ ports: { 1: 10_001, 2: 10_002, 3: 10_003 } })
    const wanted = entryOf(many, worldOf(), settings)!
    const listed = { ...wanted, ports: wanted.ports.toReversed() }
    const [replica] = replicasIn(worldOf(pod(0), state(0, [listed])), namespace, 'eg', 1)
    expect(lackOf(replica!, wanted, both)).toBeUndefined()
  })

  it('also beyond the replicas of a group that has just been scaled down, until it is deleted', () => {
    const set = {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: { name: 'eg', namespace },
      spec: { replicas: 1 },
      status: { replicas: 2 },
    }
    const all = [set, pod(0), pod(1), state(0, [entry]), state(1, [entry])]
    expect(endpoints(all, 1)[0]).toEqual([uid(0, 0), uid(1, 0)])
  })
})

describe('EndpointSlices', () => {
  it('are as Tailscale’s operator makes them', () => {
    const [v4, v6] = slices(service, entry, replicasIn(worldOf(pod(0), state(0, [entry])), namespace, 'eg', 1))
    expect(v4).toEqual({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        name: 'ts-db-abcde-ipv4',
        namespace,
        labels: {
          'tailscale.com/managed': 'true',
          'tailscale.com/parent-resource-type': 'svc',
          'tailscale.com/parent-resource': 'db',
          'tailscale.com/parent-resource-ns': 'apps',
          'tailscale.com/proxy-group': 'eg',
          'tailscale.com/svc-type': 'egress',
          'kubernetes.io/service-name': 'ts-db-abcde',
          'endpointslice.kubernetes.io/managed-by': 'tailscale.com',
        },
      },
      addressType: 'IPv4',
      ports: [
        { name: 'p5432', port: 10_000, protocol: 'TCP' },
        { name: 'tailscale-health-check', port: 9002, protocol: 'TCP' },
      ],
      endpoints: [
        {
          addresses: [addresses(0)[0]],
          hostname: 'uid-pod-0',
          conditions: { ready: true, serving: true, terminating: false },
        },
      ],
    })
    expect(v6).toMatchObject({ metadata: { name: 'ts-db-abcde-ipv6' }, addressType: 'IPv6' })
  })

  it('are there for the families that the Service has', () => {
    expect(slices(read({ families: ['IPv6'] }), entry, []).map(({ addressType }) => addressType)).toEqual(['IPv6'])
  })

  it('tell to which Pods all addresses of a Service lead', () => {
    const replicas = replicasIn(worldOf(pod(0), state(0, [entry])), namespace, 'eg', 1)
    const [one, other] = slices(service, entry, replicas)
    expect(endpointsOf(worldOf(one!, other!), service).map((uids) => [...uids])).toEqual([['uid-pod-0'], ['uid-pod-0']])
    expect(endpointsOf(worldOf(one!), service).map((uids) => [...uids])).toEqual([['uid-pod-0'], []])
    expect([hasSlices(worldOf(one!, other!), service), hasSlices(worldOf(one!), service)]).toEqual([true, false])
  })
})
