import type { PortKey, ForwardingTable } from '../../netfilter/table.ts'
import { emptyTable, forwardingTable } from '../../netfilter/table.ts'

/** One service of ProxyGroup egress with one port and a target of its own. */
export type Service = {
  readonly name: string
  readonly protocol: 'tcp' | 'udp'
  readonly matchPort: number
  readonly target: string
  readonly targetPort: number
}

/** The Pod's port of the first service; the others follow. */
export const firstPort = 10_000

/** Where all targets listen. */
export const targetPort = 7000

/** All targets are in here. */
export const targets = '100.72.0.0/13'

/** The n-th service, from 0 on: at most 55,000 for each protocol. */
export const service = (n: number, protocol: Service['protocol'] = 'tcp'): Service => ({
  name: `service-${n}`,
  protocol,
  matchPort: firstPort + n,
  target: `100.${72 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`,
  targetPort,
})

export const services = (count: number, protocol?: Service['protocol']): Service[] =>
  Array.from({ length: count }, (_, n) => service(n, protocol))

/** The table of a node whose address in the tailnet is `own`. */
export const tableOf = (list: readonly Service[], own: string): ForwardingTable =>
  forwardingTable({
    ...emptyTable,
    ports: {
      4: new Map(
        list.map((one) => [
          `${one.protocol} . ${one.matchPort}` satisfies PortKey,
          `${one.target} . ${one.targetPort}`,
        ]),
      ),
      6: new Map(),
    },
    source: { 4: own, 6: undefined },
  })

/** The mounted file `egress-services` (operator.md §4.4). */
export const documentOf = (list: readonly Service[]): string =>
  JSON.stringify(
    Object.fromEntries(
      list.map(({ name, protocol, target, ...ports }) => [
        name,
        {
          healthCheckEndpoint: '',
          tailnetTarget: { ip: target, fqdn: '' },
          ports: [{ protocol: protocol.toUpperCase(), ...ports }],
        },
      ]),
    ),
  )
