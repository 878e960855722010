import { describe, expect, it } from 'vitest'
import { clusterService, isInGroupFor, readClusterService } from '../../../operator/group-egress/cluster-service.ts'
import { service } from '../a-world.ts'
import { inCluster } from './a-group.ts'

const parent = { type: 'svc', namespace: 'apps', name: 'db' } as const
const tcp = (port: number, name = `p${port}`) => ({ name, port, protocol: 'TCP' as const })
const made = (ports = [tcp(5432)], more: object = {}) =>
  clusterService({
    name: 'ts-db-abcde',
    parent,
    group: 'eg',
    key: 'apps-db',
    target: { ip: '', fqdn: 'db.lab.ts.net' },
    allowFrom: undefined,
    former: undefined,
    ports,
    allocated: new Map(ports.map(({ port }) => [`${port}/TCP`, 10_000 + port])),
    namespace: 'tailscale',
    ...more,
  })
const portsOf = (object: ReturnType<typeof made>) =>
  (object['spec'] as { ports: { name: string; port: number }[] }).ports

describe('the ClusterIP Service of a Service', () => {
  it('is that of Tailscale’s operator, with what was decided in an annotation', () => {
    expect(made([tcp(5432, 'postgres')])).toEqual({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: {
        name: 'ts-db-abcde',
        namespace: 'tailscale',
        labels: {
          'tailscale.com/managed': 'true',
          'tailscale.com/parent-resource-type': 'svc',
          'tailscale.com/parent-resource': 'db',
          'tailscale.com/parent-resource-ns': 'apps',
          'tailscale.com/proxy-group': 'eg',
          'tailscale.com/svc-type': 'egress',
        },
        annotations: { 'culvert/egress-service': '{"key":"apps-db","ip":"","fqdn":"db.lab.ts.net"}' },
      },
      spec: {
        type: 'ClusterIP',
        ipFamilyPolicy: 'PreferDualStack',
        ports: [
          { name: 'postgres', port: 5432, protocol: 'TCP', targetPort: 15_432 },
          { name: 'tailscale-health-check', port: 9002, protocol: 'TCP', targetPort: 9002 },
        ],
      },
    })
  })

  it.each([
    ['9002', [80], 9002],
    ['the next that the Service does not have', [9002, 9003, 80], 9004],
  ])('has as its port for health checks %s', (_what, ports, expected) => {
    expect(portsOf(made(ports.map((port) => tcp(port)))).at(-1)).toMatchObject({ port: expected, targetPort: 9002 })
  })

  it('cannot be made if there is no port for health checks', () => {
    const all = Array.from({ length: 1001 }, (_, index) => tcp(9002 + index))
    expect(() => made(all)).toThrow(expect.objectContaining({ reason: 'INVALIDSERVICE' }))
  })

  it('is read as it was made', () => {
    expect(
      readClusterService(inCluster({ ports: { 80: 10_001 }, allowFrom: ['web'], families: ['IPv6'] })),
    ).toMatchObject({
      group: 'eg',
      parent,
      key: 'apps-db',
      target: { ip: '', fqdn: 'db.lab.ts.net' },
      allowFrom: ['web'],
      ports: [{ name: 'p80', port: 80, protocol: 'TCP', matchPort: 10_001 }],
      healthPort: 9002,
      families: ['IPv6'],
    })
  })

  it('is read without its target, where Tailscale’s operator has made it', () => {
    const { metadata, ...rest } = inCluster()
    const { annotations: _none, ...theirs } = metadata
    expect(readClusterService({ ...rest, metadata: theirs })).toMatchObject({ key: 'apps-db', target: undefined })
  })

  it('is no other Service', () => {
    const { metadata, ...rest } = inCluster()
    const labelled = (labels: Readonly<Record<string, string>>) =>
      readClusterService({ ...rest, metadata: { ...metadata, labels: { ...metadata.labels, ...labels } } })
    expect(readClusterService(service('db'))).toBeUndefined()
    expect(labelled({ 'tailscale.com/svc-type': 'ingress' })).toBeUndefined()
    expect(labelled({ 'tailscale.com/managed': 'no' })).toBeUndefined()
  })

  it('belongs to one Service, whichever the group', () => {
    expect(isInGroupFor(parent, inCluster({ group: 'other' }))).toBe(true)
    expect(isInGroupFor({ ...parent, name: 'web' }, inCluster())).toBe(false)
    expect(isInGroupFor(parent, service('db'))).toBe(false)
  })
})
