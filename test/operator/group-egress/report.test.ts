import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { entryOf, readClusterService } from '../../../operator/group-egress/cluster-service.ts'
import { egressFiles } from '../../../operator/group-egress/files.ts'
import { type Outcome, report } from '../../../operator/group-egress/report.ts'
import { readRequest } from '../../../operator/group-egress/request.ts'
import { replicasIn } from '../../../operator/group-egress/replicas.ts'
import { slices } from '../../../operator/group-egress/slices.ts'
import { service, settings, worldOf } from '../a-world.ts'
import { inCluster, pod, state } from './a-group.ts'

const { namespace } = settings
const annotations = { 'tailscale.com/tailnet-fqdn': 'db.lab.ts.net', 'tailscale.com/proxy-group': 'eg' }
const user = service('db', { type: 'ExternalName', ports: [{ port: 5432 }] }, { annotations })
const made = inCluster()
const entry = entryOf(readClusterService(made)!, worldOf(), settings)!

const group = (replicas: number, isAvailable = true, more: object = {}): KubeObject => ({
  apiVersion: 'tailscale.com/v1alpha1',
  kind: 'ProxyGroup',
  metadata: { name: 'eg', uid: 'uid-eg' },
  spec: { type: 'egress', replicas, ...more },
  status: { conditions: [{ type: 'ProxyGroupAvailable', status: isAvailable ? 'True' : 'False' }] },
})
const configMap = (entries = [entry]): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'eg-egress-config', namespace },
  binaryData: {
    'egress-services': Buffer.from(
      egressFiles(entries, { replicas: 1, agent: 'culvert' })['egress-services'] as string,
    ).toString('base64'),
  },
})
/** EndpointSlices, as they follow from these. */
const slicesOf = (...objects: readonly KubeObject[]): readonly KubeObject[] =>
  slices(readClusterService(made)!, entry, replicasIn(worldOf(...objects), namespace, 'eg', 3))

/** Conditions as `status reason`, and their messages. */
function told(objects: readonly KubeObject[], outcome: Outcome = { request: readRequest(user) }) {
  const { conditions, events } = report(user, outcome, worldOf(user, ...objects), settings)
  const of = (type: string) => conditions.find((one) => one.type === `TailscaleEgressSvc${type}`)
  return {
    words: conditions.map(({ type, status, reason }) => [
      type.replace('TailscaleEgressSvc', ''),
      `${status} ${reason.replace(/[0-9a-f]{64}/, 'HASH')}`,
    ]),
    message: (type: string) => of(type)?.message,
    reason: (type: string) => of(type)?.reason,
    events: events.map(({ reason, message }) => `${reason}: ${message}`),
  }
}
const configured = ['Configured', 'True ConfiguredFor:ProxyGroup:eg:Config:HASH']
const valid = ['Valid', 'True EgressSvcValid']

describe('a Service of an egress group is told', () => {
  const pods = [pod(0), pod(1)]
  const ready = [state(0, [entry]), state(1, [entry])]
  it.each<[string, readonly KubeObject[], readonly (readonly string[])[], RegExp]>([
    ['that nothing is there yet', [group(2)], [valid, ['Ready', 'False ClusterResourcesNotReady']], /not there yet/],
    [
      'that the Pods do not know it yet',
      [group(2), made, ...slicesOf(), ...pods],
      [valid, ['Ready', 'False ClusterResourcesNotReady']],
      /not there yet/,
    ],
    [
      'that no replica forwards, and why',
      [group(2), made, ...slicesOf(), configMap(), ...pods],
      [valid, configured, ['Ready', 'False NotReadyToRouteTraffic']],
      /^0 of 2 replicas forward to db\.lab\.ts\.net; eg-0: its agent has not reported yet; eg-1: /,
    ],
    [
      'that some replicas do not forward, and why',
      [group(2), made, ...slicesOf(...pods, ready[0]!), configMap(), ...pods, ready[0]!],
      [valid, configured, ['Ready', 'True PartiallyReadyToRouteTraffic']],
      /^1 of 2 replicas forward to db\.lab\.ts\.net; eg-1: its agent has not reported yet$/,
    ],
    [
      'that all do',
      [group(2), made, ...slicesOf(...pods, ...ready), configMap(), ...pods, ...ready],
      [valid, configured, ['Ready', 'True ReadyToRouteTraffic']],
      /^2 of 2 replicas forward to db\.lab\.ts\.net$/,
    ],
    [
      'that there are no replicas',
      [group(0), made, ...slicesOf(), configMap()],
      [valid, configured, ['Ready', 'False NoProxiesConfigured']],
      /has no replicas/,
    ],
  ])('%s', (_what, objects, words, message) => {
    const { words: actual, message: of } = told(objects)
    expect(actual).toEqual(words)
    expect(of('Ready')).toMatch(message)
  })

  it('that its group is absent, being deleted, unusable, or runs nowhere', () => {
    const missing = ['Valid', 'Unknown ProxyGroupNotReady']
    const problem = { reason: 'ProxyGroupNotReady', message: 'ProxyGroup "eg" does not exist' } as const
    expect(told([], { problem }).words[0]).toEqual(missing)
    expect(told([], { problem }).events).toEqual(['ProxyGroupNotReady: ProxyGroup "eg" does not exist'])
    expect(told([group(2, false)]).words[0]).toEqual(missing)
    expect(told([group(2, false)]).message('Valid')).toBe('no replica of ProxyGroup "eg" runs yet')
  })

  it('that it is invalid, while what was there before goes on', () => {
    const problem = { reason: 'EgressSvcInvalid', message: 'two targets' } as const
    const all = [group(2), made, ...slicesOf(...pods, ...ready), configMap(), ...pods, ...ready]
    const { words, events } = told(all, { problem })
    expect(words).toEqual([['Valid', 'False EgressSvcInvalid'], configured, ['Ready', 'True ReadyToRouteTraffic']])
    expect(events).toEqual(['INVALIDSERVICE: two targets'])
  })

  it('what fails', () => {
    const { words, message, events } = told([group(2)], {
      failed: 'the group has 1000 ports',
      request: readRequest(user),
    })
    expect(words[1]).toEqual(['Configured', 'False ConfigurationFailed:ProxyGroup:eg'])
    expect(message('Configured')).toBe('the group has 1000 ports')
    expect(events).toEqual(['ConfigurationFailed: the group has 1000 ports'])
  })

  it('that another configuration is another one', () => {
    const reasonWith = (object: KubeObject) => {
      const of = entryOf(readClusterService(object)!, worldOf(), settings)!
      return told([group(2), object, ...slicesOf(), configMap([of])]).reason('Configured')
    }
    const reasons = [{}, { ports: { 5432: 10_001 } }, { target: { ip: '100.64.0.9', fqdn: '' } }].map((more) =>
      reasonWith(inCluster(more)),
    )
    expect(new Set(reasons).size).toBe(3)
    expect(reasonWith(inCluster())).toBe(reasons[0])
  })

  it('that a target behind a subnet router needs a group that accepts routes', () => {
    const routed = service(
      'db',
      { type: 'ExternalName', ports: [{ port: 1 }] },
      {
        annotations: { 'tailscale.com/tailnet-ip': '10.1.0.5', 'tailscale.com/proxy-group': 'eg' },
      },
    )
    const outcome = { request: readRequest(routed) }
    const accepting = {
      apiVersion: 'tailscale.com/v1alpha1',
      kind: 'ProxyClass',
      metadata: { name: 'routes' },
      spec: { tailscale: { acceptRoutes: true } },
    }
    expect(told([group(2)], outcome).events).toEqual([expect.stringMatching(/^RoutesNotAccepted: .*acceptRoutes/)])
    expect(told([group(2, true, { proxyClass: 'routes' }), accepting], outcome).events).toEqual([])
  })
})
