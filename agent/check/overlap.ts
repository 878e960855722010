import { networkInterfaces } from 'node:os'
import { type Address, contains, parseAddress, parsePrefix } from '../../lib/address.ts'
import { declareFindings } from '../../lib/declared-finding.ts'
import type { Finding } from '../../lib/finding.ts'
import { flagValue } from '../../lib/go-flags.ts'
import { listed } from '../../lib/some.ts'
import type { PeerPath } from '../../localapi/paths.ts'
import { getControl } from '../../localapi/prefs.ts'
import { withoutLastDot } from './peers.ts'
import { inTailnetRange } from '../targets/cluster-overlap.ts'
import { addressesOf } from '../targets/local-network.ts'
import { parseResolvConf, readResolvConf } from '../targets/resolv-conf.ts'
import { forwardedTo, type Look, type Looking } from './looking.ts'

export const overlap = declareFindings('overlap', {
  ok: {
    level: 'ok',
    text: 'nothing that the Pod needs in the cluster has an address of the tailnet, or is routed there',
    meaning: 'Looked at: the Pod, the API server, the resolvers, the backends.',
  },
  range: {
    level: 'warning',
    text: 'these are in the tailnet’s range 100.64.0.0/10: {which}',
    remedy:
      'Where something of the cluster is out of reach, set --netfilter-mode=off in TS_EXTRA_ARGS, or "NetfilterMode": "off" in the config file; better, give the cluster another range.',
    meaning:
      'Some providers number Pods or nodes there. In kernel mode tailscaled drops what comes from that range and not through the tunnel, and answers would be sent into it.',
  },
  routes: {
    level: 'error',
    text: 'routes of the tailnet lead there what belongs to the cluster: {which}',
    remedy:
      'Set --accept-routes=false in TS_EXTRA_ARGS, or have the subnet routers advertise what the cluster does not use.',
    meaning:
      'This node accepts routes, and a peer has one that contains an address which the Pod needs in the cluster. Only packets of the rules are kept from following it.',
  },
})

/** An address in the cluster, and whose it is. */
type Used = { readonly what: string; readonly address: Address }

export const lookAtOverlap: Look = async (looking) => {
  const { settings, file } = looking
  const mode = file?.NetfilterMode ?? flagValue(settings.up.extraArgs, 'netfilter-mode')
  const isFiltered = !settings.userspace && mode !== 'off'
  const used = await usedHere(looking)
  return judgeOverlap(used, await routersOf(looking), isFiltered)
}

/** The peers whose routes are used; none while tailscaled does not say. */
async function routersOf({ agent, api, tailnet, signal }: Looking): Promise<readonly PeerPath[]> {
  if (agent === undefined) return []
  try {
    const { acceptsRoutes } = await getControl(api, signal)
    return acceptsRoutes ? (await tailnet()).peers : []
  } catch {
    return []
  }
}

async function usedHere(looking: Looking): Promise<readonly Used[]> {
  const { settings } = looking
  const { servers } = parseResolvConf(await readResolvConf(`${settings.root}/etc/resolv.conf`))
  const own = addressesOf(networkInterfaces(), settings.tunnelDevice)
  const named = (what: string, texts: readonly string[]): Used[] =>
    texts.flatMap((text) => {
      const address = parseAddress(text.replace(/^\[(.*)\]$/, '$1'))
      return address === undefined ? [] : [{ what, address }]
    })
  const backends = [...settings.targets.map(({ text }) => text), ...forwardedTo(looking, 'tailnet')]
  return [
    ...own.filter(({ device }) => device !== 'lo').map(({ address }) => ({ what: 'the Pod', address })),
    ...named('the Kubernetes API', [settings.cluster.host]),
    // tailscaled's own is meant to be there.
    ...servers.filter(({ text }) => text !== '100.100.100.100').map((address) => ({ what: 'the resolver', address })),
    ...named('the backend', [...new Set(backends)]),
  ]
}

/** `peers`: those whose routes are used. `isFiltered`: tailscaled drops what has an address of the tailnet's range. */
export function judgeOverlap(
  used: readonly Used[],
  peers: readonly Pick<PeerPath, 'name' | 'routes'>[],
  isFiltered: boolean,
): readonly Finding[] {
  const inside = isFiltered ? used.filter(({ address }) => inTailnetRange(address)) : []
  const routed = peers.flatMap(({ name, routes }) =>
    routes.flatMap((route) => {
      const prefix = parsePrefix(route)
      // Exit nodes are no routes of their own, and tailscaled leaves what is closer alone.
      if (prefix === undefined || prefix.bits === 0) return []
      const within = used.filter(({ address }) => contains(prefix, address))
      return within.map(({ what, address }) => `${what} (${address.text}) by ${route} of ${withoutLastDot(name)}`)
    }),
  )
  const found = [
    ...(inside.length === 0
      ? []
      : [overlap.range({ which: listed(inside.map(({ what, address }) => `${what} (${address.text})`)) })]),
    ...(routed.length === 0 ? [] : [overlap.routes({ which: listed(routed) })]),
  ]
  return found.length > 0 ? found : [overlap.ok()]
}
