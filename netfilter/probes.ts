import { emptyTable, type ForwardingTable, forwardingTable, type IngressByPort } from './table.ts'

const byPort = (address: string, backend: string): IngressByPort => ({
  addresses: [address],
  backends: [backend],
  ports: [
    { protocol: 'tcp', first: 1, last: 2 },
    { protocol: 'udp', first: 1, last: 1, to: 2 },
  ],
})

/** A table that needs every kind of rule that the agent can write, except those for several backends. */
export const everything: ForwardingTable = forwardingTable({
  ...emptyTable,
  ingress: { 4: new Map([['100.64.0.1', ['10.0.0.1']]]), 6: new Map([['fd7a:115c:a1e0::1', ['fd00::1']]]) },
  ingressByPort: { 4: byPort('100.64.0.3', '10.0.0.1'), 6: byPort('fd7a:115c:a1e0::3', 'fd00::1') },
  ports: { 4: new Map([['tcp . 1', '100.64.0.2 . 1']]), 6: new Map([['udp . 1', 'fd7a:115c:a1e0::2 . 1']]) },
  refuseUnmapped: true,
  catchAll: { 4: '100.64.0.2', 6: 'fd7a:115c:a1e0::2' },
  exempt: ['tcp . 1'],
  source: { 4: '100.64.0.1', 6: 'fd7a:115c:a1e0::1' },
})

/** A table with several backends. */
export const spreading: ForwardingTable = forwardingTable({
  ...emptyTable,
  ingress: {
    4: new Map([['100.64.0.1', ['10.0.0.1', '10.0.0.2']]]),
    6: new Map([['fd7a:115c:a1e0::1', ['fd00::1', 'fd00::2']]]),
  },
})
