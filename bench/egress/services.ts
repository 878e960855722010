import { families, parseAddress } from '../../lib/address.ts'
import { memoOf } from '../../lib/memo.ts'
import { type EgressInput, planForwardingTable } from '../../netfilter/plan.ts'
import { defaultDevice, type ForwardingTable } from '../../netfilter/table.ts'

/** One service of ProxyGroup egress with a port and a target of its own. */
export type Service = {
  readonly name: string
  readonly protocol: 'tcp' | 'udp'
  readonly matchPort: number
  readonly target: string
  readonly targetPort: number
}

/** The Pod's port of the first service; the others follow. */
export const firstPort = 10_000

/** The port of all targets. */
export const targetPort = 7000

/** The network of all targets. */
export const targets = '100.72.0.0/13'

/** The n-th service, from 0: at most 55,000 for each protocol. */
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
  planForwardingTable({
    device: defaultDevice,
    own: [parseAddress(own)!],
    kernelFamilies: families,
    podFamilies: families,
    noSnat: false,
    targetPorts: undefined,
    targets: [],
    catchAll: [],
    exempt: [],
    egress: list.map(inputOf),
    ingress: undefined,
  }).table

/** Cached for each service, like the result of parsing a document of which little has changed. */
const inputOf = memoOf(({ name, target, ...port }: Service): EgressInput => ({
  name,
  addresses: [parseAddress(target)!],
  ports: [port],
}))

/** The mounted file `egress-services`. */
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
