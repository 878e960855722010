import * as z from 'zod/mini'
import { declareFindings } from '../../lib/declared-finding.ts'
import type { Finding } from '../../lib/finding.ts'
import { optional, parseJson } from '../../lib/json.ts'
import { listed } from '../../lib/some.ts'
import { pong } from '../../localapi/ping.ts'
import type { Look, Looking } from './looking.ts'
import { type Peer, peersOf } from './peers.ts'

export const paths = declareFindings('paths', {
  ok: {
    level: 'ok',
    text: '{what}',
    meaning: 'No peer that matters here is reached through a DERP relay, or none is reached yet.',
  },
  notUsed: {
    level: 'ok',
    text: 'paths are known once tailscaled runs',
    meaning: 'Before the start there is nothing to ask.',
  },
  udpBlocked: {
    level: 'error',
    text: 'UDP does not get out: no STUN server of the DERP relays answered by UDP, so that traffic to other networks goes through relays',
    remedy:
      'Let UDP out of the cluster, to all ports of any address, and answers in: network policies, security groups, egress firewalls.',
    meaning:
      '`tailscale netcheck` asked the relays by UDP and by HTTPS. Through relays, traffic is slow, and depends on them.',
  },
  hardNat: {
    level: 'warning',
    text: 'the NAT gives each destination another port, as the STUN servers saw, so that only peers which can be reached themselves are reached directly',
    remedy:
      'Give the Pod a port of its own at a public address (static endpoints by NodePort, or hostNetwork), use a NAT gateway with endpoint-independent mapping, or run a peer relay.',
    meaning:
      'The address and port under which two STUN servers saw the same socket differ. Managed NAT gateways do that. It is told if a peer is relayed.',
  },
  relayed: {
    level: 'warning',
    text: 'these are reached only through DERP relays, after some pings: {peers}',
    remedy: '{remedy}',
    meaning:
      'Each target, and each peer with which packets are exchanged, was pinged five times by tailscaled, which looks for a direct path meanwhile.',
  },
})

/** How many peers are pinged, and how often. */
const most = 8
const pings = 5
const pingMs = 2000
/** How long tailscale may look at the network, in ms: where nothing answers, five seconds or so. */
const longest = 25_000

const reportSchema = z.object({
  UDP: optional(z.boolean()),
  MappingVariesByDestIP: optional(z.union([z.boolean(), z.string()])),
})

export const lookAtPaths: Look = async (looking) => {
  if (looking.agent === undefined) return [paths.notUsed()]
  const { run, settings, signal } = looking
  const [report, peers] = await Promise.all([
    run('tailscale', [`--socket=${settings.socket}`, 'netcheck', '--format=json'], { timeoutMs: longest }),
    peersOf(looking),
  ])
  signal.throwIfAborted()
  const pinged = await Promise.all(peers.slice(0, most).map((peer) => wayOf(looking, peer)))
  return judgePaths(readReport(report), pinged)
}

/** @throws Error if it is not what `tailscale netcheck` prints */
export function readReport(text: string): { readonly udp: boolean; readonly hardNat: boolean } {
  const { data } = z.safeParse(reportSchema, parseJson(text.slice(text.indexOf('{'))))
  if (data?.UDP == null) throw new Error('tailscale netcheck printed what cannot be read')
  return { udp: data.UDP, hardNat: data.MappingVariesByDestIP === true || data.MappingVariesByDestIP === 'true' }
}

async function wayOf({ api, clock, signal }: Looking, peer: Peer): Promise<Peer> {
  let last: Pick<Peer, 'path' | 'via'> = peer
  for (let left = pings; left > 0 && last.path !== 'direct'; left -= 1) {
    const answer = await pong(api, { address: peer.address, kind: 'disco' }, signal, pingMs)
    last = answer ?? { path: 'none', via: undefined }
    if (last.path !== 'direct' && left > 1) await clock.sleep(pingMs / 4, signal)
  }
  return { ...peer, ...last }
}

export function judgePaths(
  { udp, hardNat }: { readonly udp: boolean; readonly hardNat: boolean },
  peers: readonly Peer[],
): readonly Finding[] {
  const relayed = peers.filter(({ path }) => path === 'derp')
  const direct = peers.filter(({ path }) => path === 'direct').length
  // Within one network, peers are reached directly also where nothing gets out of it.
  const isBlocked = !udp && (direct === 0 || relayed.length > 0)
  const why = !udp
    ? 'See paths.udpBlocked.'
    : hardNat
      ? 'See paths.hardNat.'
      : 'UDP gets out of this Pod, so look at the other side: its firewall, or its NAT, by tailscale netcheck there.'
  const found = [
    ...(isBlocked ? [paths.udpBlocked()] : []),
    ...(hardNat && relayed.length > 0 ? [paths.hardNat()] : []),
    ...(relayed.length === 0
      ? []
      : [paths.relayed({ peers: listed(relayed.map(({ name, via }) => `${name} (${via})`)), remedy: why })]),
  ]
  if (found.length > 0) return found
  const how = !udp
    ? 'no STUN server answers by UDP'
    : hardNat
      ? 'UDP gets out, by a NAT that gives each destination another port'
      : 'UDP gets out'
  return [paths.ok({ what: `${how}; of ${peers.length} peers that matter now, ${direct} are reached directly` })]
}
