import { type Address, families } from '../lib/address.ts'
import { escapeUnit } from '../lib/quote.ts'
import type { EgressService } from './egress-services.ts'
import { type IngressService, mappingField } from './ingress-services.ts'

/** The addresses of the Pod whose status it is; empty for a family that it lacks. */
type Pod = { readonly podIPv4: string; readonly podIPv6: string }

/** `omitted`: the services for which there was no room. */
export type StatusText = { readonly text: string; readonly omitted: readonly string[] }

/** An egress service whose rules stand, and to which addresses they lead. */
export type ListedEgressService = { readonly service: EgressService; readonly addresses: readonly Address[] }

/**
 * The value of the state Secret's key `egress-services`, in the bytes of agent.md §6: services in the order of their
 * names, as many as `limitBytes` have room for.
 */
export function renderEgressStatus(
  { podIPv4, podIPv6, services }: Pod & { readonly services: readonly ListedEgressService[] },
  limitBytes: number,
): StatusText {
  const entries = services.map(({ service: { name, ports, tailnetTarget }, addresses }) => {
    const value = {
      ports: ports.map(({ protocol, spelling, matchPort, targetPort }) => ({
        protocol: spelling ?? protocol.toUpperCase(),
        matchPort,
        targetPort,
      })),
      tailnetTargetIPs: addresses.length === 0 ? null : addresses.map(({ text }) => text),
      tailnetTarget: { ip: tailnetTarget.ip, fqdn: tailnetTarget.fqdn },
    }
    return [name, value] as const
  })
  const ipv6 = podIPv6 === '' ? '' : `"podIPv6":${goJson(podIPv6)},`
  const head = `{"podIPv4":${goJson(podIPv4)},${ipv6}"services":`
  return fill(entries, limitBytes, (list) => `${head}${list === '' ? 'null' : `{${list}}`}}`)
}

/**
 * The value of the state Secret's key `ingress-config.json` (agent.md §7, operator.md §4.5): services whose rules stand,
 * as they were configured, in the order of their names, as many as `limitBytes` have room for.
 */
export function renderIngressStatus(
  { podIPv4, podIPv6, services }: Pod & { readonly services: readonly IngressService[] },
  limitBytes: number,
): StatusText {
  const entries = services.map(({ name, mappings }) => {
    const value = families.flatMap((family) => {
      const configured = mappings[family]?.configured
      if (configured === undefined) return []
      const { TailscaleServiceIP, ClusterIP } = configured
      return [[mappingField(family), { TailscaleServiceIP, ClusterIP }] as const]
    })
    return [name, Object.fromEntries(value)] as const
  })
  const tail = `"podIPv4":${goJson(podIPv4)},"podIPv6":${goJson(podIPv6)}}`
  return fill(entries, limitBytes, (list) => `{"configs":{${list}},${tail}`)
}

function fill(
  entries: readonly (readonly [name: string, value: object])[],
  limitBytes: number,
  around: (list: string) => string,
): StatusText {
  const listed: string[] = []
  const omitted: string[] = []
  let size = Buffer.byteLength(around('.')) - 1
  for (const [name, value] of entries.toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const entry = `${goJson(name)}:${goJson(value)}`
    const more = Buffer.byteLength(entry) + Math.min(listed.length, 1)
    if (size + more > limitBytes) {
      omitted.push(name)
      continue
    }
    listed.push(entry)
    size += more
  }
  return { text: around(listed.join(',')), omitted }
}

/** JSON in the bytes that Go writes. */
const goJson = (value: unknown): string => JSON.stringify(value).replaceAll(/[<>&\u2028\u2029]/g, escapeUnit)
