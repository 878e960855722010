import { families, type Family, parseAddress, parseAddressPort } from '../../lib/address.ts'
import { flagValue } from '../../lib/go-flags.ts'
import type { PortKey } from '../../netfilter/table.ts'
import { parseFullName, type TailnetTarget } from '../../wire/tailnet-target.ts'
import { type EnvReader, refusal } from './env-reader.ts'
import { listenerName } from './rules.ts'

/**
 * The target of L3 egress.
 * @throws CulvertError `settings` if the variable holds neither an address nor a name.
 */
export function readTailnetTarget({ text }: EnvReader): TailnetTarget | undefined {
  const [ip, fqdn] = [text('TS_TAILNET_TARGET_IP'), text('TS_TAILNET_TARGET_FQDN')]
  if (ip !== '') {
    const address = parseAddress(ip)
    if (address === undefined) throw refusal('TS_TAILNET_TARGET_IP', ip, 'one IP address is accepted')
    return { kind: 'address', address }
  }
  if (fqdn === '') return undefined
  const name = parseFullName(fqdn)
  if (name === undefined) {
    throw refusal('TS_TAILNET_TARGET_FQDN', fqdn, 'a full name in the tailnet such as db.example.ts.net is accepted')
  }
  return { kind: 'name', name }
}

/** Address families of the Pod whose traffic goes to the node's own tailnet address; none when the mode is off. */
export function readViaIngress({ bool, text, raw }: EnvReader): Family[] {
  if (!bool('EXPERIMENTAL_ALLOW_PROXYING_CLUSTER_TRAFFIC_VIA_INGRESS')) return []
  const addresses = [text('POD_IP'), ...(raw('POD_IPS') ?? '').split(',')]
  const pod = new Set(addresses.map((part) => parseAddress(part)?.family))
  return families.filter((family) => pod.has(family))
}

/** tailscaled's default elsewhere; in a Pod nothing else uses this port. */
const wireGuardPort = 41641

/**
 * Ports that are exempt when all other traffic to the Pod is redirected: the agent's and tailscaled's own listeners,
 * and WireGuard's, which must be fixed for that. `env` is what tailscaled gets for it.
 */
export function readExempt(env: EnvReader): {
  readonly exempt: readonly PortKey[]
  readonly env: Readonly<Record<string, string>>
  readonly warnings: readonly string[]
} {
  const listeners = [...listenerName(env), 'TS_HEALTHCHECK_ADDR_PORT', 'TS_DEBUG_ADDR_PORT'] as const
  const addresses = [
    ...listeners.map((name) => parseAddressPort(env.addressPort(name))?.port),
    ...(['TS_SOCKS5_SERVER', 'TS_OUTBOUND_HTTP_PROXY_LISTEN'] as const).map((name) =>
      portOf(env.text(name).split(':').at(-1)),
    ),
  ]
  const tcp = addresses.filter((port) => port !== undefined && port > 0).map((port): PortKey => `tcp . ${port!}`)
  const argument = flagValue(env.words('TS_TAILSCALED_EXTRA_ARGS'), 'port')
  const chosen = portOf(argument ?? env.text('PORT'))
  if (argument !== undefined && chosen === 0) {
    const warning =
      'TS_TAILSCALED_EXTRA_ARGS has --port=0: tailscaled’s port is not known, so what peers send to it directly is led to the target'
    return { exempt: [...new Set(tcp)], env: {}, warnings: [warning] }
  }
  const port = chosen === undefined || chosen === 0 ? wireGuardPort : chosen
  return {
    exempt: [...new Set<PortKey>([...tcp, `udp . ${port}`])],
    env: argument === undefined ? { PORT: String(port) } : {},
    warnings: [],
  }
}

const portOf = (text = ''): number | undefined =>
  /^\d{1,5}$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined
