import { describe, expect, it } from 'vitest'
import { groupAccess } from '../../../operator/group-egress/access.ts'
import { read } from './a-group.ts'

const rules = (...services: Parameters<typeof groupAccess>[2]) =>
  (groupAccess('eg', 'tailscale', services)?.['spec'] as { ingress: object[] } | undefined)?.ingress
const from = (...values: string[]) => [
  { namespaceSelector: { matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'In', values }] } },
]
const one = (name: string, port: number, allowFrom?: '*' | readonly string[]) =>
  read({ parent: { namespace: 'apps', name }, ports: { 1: port }, ...(allowFrom && { allowFrom }) })
const udp = { protocol: 'UDP', port: 1, endPort: 65_535 }

describe('who may use a Service of a group', () => {
  it('is not restricted, if no Service says who', () => expect(rules(one('a', 10_000))).toBeUndefined())

  it('is restricted on the ports of that Service only', () => {
    expect(rules(one('a', 10_000), one('b', 10_005, ['web']))).toEqual([
      {
        ports: [{ protocol: 'TCP', port: 1, endPort: 10_004 }, { protocol: 'TCP', port: 10_006, endPort: 65_535 }, udp],
      },
      { from: from('web'), ports: [{ protocol: 'TCP', port: 10_005 }] },
    ])
  })

  it('is nobody for an empty list, and all Pods for *', () => {
    expect(rules(one('a', 10_000, []), one('b', 10_001, '*'), one('c', 10_002, '*'))).toEqual([
      { ports: [{ protocol: 'TCP', port: 1, endPort: 9999 }, { protocol: 'TCP', port: 10_003, endPort: 65_535 }, udp] },
      {
        from: [{ namespaceSelector: {} }],
        ports: [
          { protocol: 'TCP', port: 10_001 },
          { protocol: 'TCP', port: 10_002 },
        ],
      },
    ])
  })

  it('leaves single ports between those of others', () => {
    expect(rules(one('a', 10_000, []), one('b', 10_002, []))?.[0]).toMatchObject({
      ports: [{ port: 1, endPort: 9999 }, { port: 10_001 }, { port: 10_003, endPort: 65_535 }, udp],
    })
  })

  it('is about the Pods of the group', () => {
    expect(groupAccess('eg', 'tailscale', [one('a', 10_000, '*')])).toMatchObject({
      metadata: { name: 'eg-egress', namespace: 'tailscale' },
      spec: {
        podSelector: {
          matchLabels: { 'tailscale.com/parent-resource-type': 'proxygroup', 'tailscale.com/parent-resource': 'eg' },
        },
        policyTypes: ['Ingress'],
      },
    })
  })
})
