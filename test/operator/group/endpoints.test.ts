import { expect, test } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { staticEndpoints } from '../../../operator/group/endpoints.ts'
import { readGroup } from '../../../operator/group/group.ts'
import type { ProxyClassSpec } from '../../../operator/schemas/proxy-class.ts'
import { settings, worldOf } from '../a-world.ts'

const group = readGroup(
  { apiVersion: 'tailscale.com/v1alpha1', kind: 'ProxyGroup', metadata: { name: 'edge' }, spec: { type: 'egress' } },
  settings,
)
const node = (
  name: string,
  addresses: readonly string[],
  labels: Readonly<Record<string, string>> = {},
): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, labels },
  status: {
    addresses: [
      { type: 'InternalIP', address: '10.0.0.1' },
      ...addresses.map((address) => ({ type: 'ExternalIP', address })),
    ],
  },
})
const service = (name: string, ports: readonly object[], status: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'tailscale' },
  spec: { ports },
  status,
})

type Wanted = ProxyClassSpec['staticEndpoints']
const made = (wanted: Wanted, objects: readonly KubeObject[], before: readonly string[] = []) =>
  staticEndpoints(worldOf(...objects), {
    group,
    class: { name: 'fixed', staticEndpoints: wanted },
    namespace: 'tailscale',
    before: () => before,
  })!
const nodePort = (port: number, endPort?: number, selector?: Record<string, string>): Wanted => ({
  nodePort: { ports: [{ port, ...(endPort !== undefined && { endPort }) }], ...(selector && { selector }) },
})
const portsOf = (services: readonly KubeObject[]) =>
  services.map(({ metadata, spec }) => {
    const [port] = (spec as { ports: [{ port: number; nodePort?: number }] }).ports
    return [metadata.name, port.port, port.nodePort]
  })

test('a class without them has none', () => {
  expect(made(undefined, [])).toBeUndefined()
})

test('each replica has a port of nodes, and the first external addresses', () => {
  const nodes = [
    node('c', ['203.0.113.3']),
    node('a', ['203.0.113.1', '2001:db8::1']),
    node('b', ['203.0.113.2'], { edge: 'no' }),
  ]
  const { services, addresses, port, problem } = made(nodePort(30_000, 30_009), nodes)
  expect(portsOf(services)).toEqual([
    ['edge-0-nodeport', 41_641, 30_000],
    ['edge-1-nodeport', 41_641, 30_001],
  ])
  expect(addresses).toEqual([
    ['203.0.113.1:30000', '[2001:db8::1]:30000'],
    ['203.0.113.1:30001', '[2001:db8::1]:30001'],
  ])
  expect([port, problem]).toEqual([41_641, undefined])
})

test('only nodes with the labels of the selector count', () => {
  const nodes = [node('a', ['203.0.113.1']), node('b', ['203.0.113.2'], { edge: 'yes' })]
  expect(made(nodePort(30_000, 30_009, { edge: 'yes' }), nodes).addresses[0]).toEqual(['203.0.113.2:30000'])
})

test('ports and addresses that are used already stay', () => {
  const present = [
    service('edge-0-nodeport', [{ port: 5000, nodePort: 30_007 }]),
    service('other', [{ port: 80, nodePort: 30_000 }]),
  ]
  const nodes = [node('a', ['203.0.113.1']), node('b', ['203.0.113.2']), node('c', ['203.0.113.3'])]
  const { services, addresses, port } = made(nodePort(30_000, 30_009), [...present, ...nodes], ['203.0.113.3:30007'])
  expect(portsOf(services)).toEqual([
    ['edge-0-nodeport', 5000, 30_007],
    ['edge-1-nodeport', 5000, 30_001],
  ])
  expect(addresses[0]).toEqual(['203.0.113.3:30007', '203.0.113.1:30007'])
  expect(port).toBe(5000)
})

test('a port that the class does not allow any more is given up', () => {
  const present = [service('edge-0-nodeport', [{ port: 41_641, nodePort: 31_000 }])]
  const { services } = made(nodePort(30_000, 30_009), [...present, node('a', ['203.0.113.1'])])
  expect(portsOf(services)[0]).toEqual(['edge-0-nodeport', 41_641, 30_000])
})

test('what is lacking is told, and the other replicas have their endpoints', () => {
  const { services, addresses, problem } = made(nodePort(30_000), [node('a', ['203.0.113.1'])])
  expect(portsOf(services)).toEqual([['edge-0-nodeport', 41_641, 30_000]])
  expect(addresses).toEqual([['203.0.113.1:30000'], []])
  expect(made(nodePort(30_000), []).isComing).toBe(false)
  expect(problem).toContain('all ports of nodes that ProxyClass "fixed" allows are taken')
  expect(made(nodePort(30_000, 30_009), [node('a', [])]).problem).toContain('ExternalIP')
})

test('each replica has a load balancer, of which the addresses count', () => {
  const wanted = { loadBalancer: { loadBalancerClass: 'cloud', annotations: { a: 'b' } } }
  const first = made(wanted, [])
  expect(first.services.map(({ metadata, spec }) => [metadata.name, metadata.annotations, spec])).toEqual(
    [0, 1].map((ordinal) => [
      `edge-${ordinal}-loadbalancer`,
      { a: 'b' },
      {
        type: 'LoadBalancer',
        loadBalancerClass: 'cloud',
        ipFamilyPolicy: 'PreferDualStack',
        selector: { 'statefulset.kubernetes.io/pod-name': `edge-${ordinal}` },
        ports: [{ name: 'static-endpoint-port', protocol: 'UDP', port: 41_641, targetPort: 41_641 }],
      },
    ]),
  )
  expect(first.addresses).toEqual([[], []])
  expect(first).toMatchObject({
    problem: expect.stringContaining('edge-0-loadbalancer has no IP address yet'),
    isComing: true,
  })
  const balanced = (ordinal: number) =>
    service(`edge-${ordinal}-loadbalancer`, [{ port: 41_641 }], {
      loadBalancer: { ingress: [{ ip: `198.51.100.${ordinal}` }, { hostname: 'lb.example.com' }] },
    })
  const both = made(wanted, [balanced(0), balanced(1)])
  expect(both.addresses).toEqual([['198.51.100.0:41641'], ['198.51.100.1:41641']])
  expect(both.problem).toBeUndefined()
})
