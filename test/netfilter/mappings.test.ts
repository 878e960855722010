import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { families } from '../../lib/address.ts'
import { mappingsOf } from '../../netfilter/mappings.ts'
import { byFamily, emptyTable, forwardingTable } from '../../netfilter/table.ts'
import { randomTable } from './random-table.ts'

const none = byFamily(() => undefined)

it('says where the flows of each mapping come from, where they lead to, and as whom they are seen there', () => {
  const table = forwardingTable({
    ...emptyTable,
    ingress: { 4: new Map([['100.64.0.1', ['10.0.0.9', '10.0.0.10']]]), 6: new Map() },
    ingressByPort: {
      ...none,
      6: {
        addresses: ['fd7a::1'],
        backends: ['fd00::9'],
        ports: [{ protocol: 'tcp', first: 8080, last: 8080, to: 80 }],
      },
    },
    ports: { 4: new Map(), 6: new Map([['udp . 10000', 'fd7a::2 . 53']]) },
    catchAll: { ...none, 4: '100.64.0.2' },
    exempt: ['tcp . 9002'],
    source: { 4: '100.64.0.1', 6: 'fd7a::1' },
  })
  const tailnet = { from: 'tailnet', exempt: [], seen: 'Pod' }
  const cluster = { from: 'cluster', address: undefined }
  expect(mappingsOf(table)).toEqual([
    { ...tailnet, family: 4, address: '100.64.0.1', ports: undefined, to: ['10.0.0.9', '10.0.0.10'] },
    { ...cluster, family: 4, ports: undefined, exempt: ['tcp/9002'], to: ['100.64.0.2'], seen: '100.64.0.1' },
    { ...tailnet, family: 6, address: 'fd7a::1', ports: ['tcp/8080:80'], to: ['fd00::9'] },
    { ...cluster, family: 6, ports: ['udp/10000'], exempt: [], to: ['[fd7a::2]:53'], seen: 'fd7a::1' },
  ])
  expect(mappingsOf(forwardingTable({ ...table, masquerade: false }))[0]?.seen).toBeUndefined()
})

it('has each entry of any table once', () => {
  fc.assert(
    fc.property(randomTable, (table) => {
      const count = families
        .map((family) => {
          const { ingress, ingressByPort, ports, catchAll } = table
          const byPort = ingressByPort[family]?.addresses.length ?? 0
          return ingress[family].size + byPort + ports[family].size + (catchAll[family] === undefined ? 0 : 1)
        })
        .reduce((sum, one) => sum + one)
      const all = mappingsOf(table)
      expect(new Set(all.map((one) => JSON.stringify(one))).size).toBe(count)
      for (const { to } of all) expect(to.length).toBeGreaterThan(0)
    }),
  )
})
