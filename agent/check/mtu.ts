import { type Address, parseAddress } from '../../lib/address.ts'
import { declareFindings } from '../../lib/declared-finding.ts'
import type { Finding } from '../../lib/finding.ts'
import { pong } from '../../localapi/ping.ts'
import { arrives, largestThatArrives, wayTo } from './datagram.ts'
import { forwardedTo, type Look, type Looking } from './looking.ts'
import { peersOf } from './peers.ts'

/** The longest packets of tailscaled’s device, and those in which it sends them, with all headers of IPv4. */
const inner = 1280
const outer = inner + 32 + 28
/** The same as a ping of tailscaled, whose headers are not counted. */
const pingBytes = inner + 32

export const mtu = declareFindings('mtu', {
  ok: {
    level: 'ok',
    text: 'packets of up to {bytes} bytes reach {target}',
    meaning: 'What the Pod’s device lets out arrives.',
  },
  notUsed: {
    level: 'ok',
    text: 'there is no path to try yet: {why}',
    meaning: 'The settings name no backend, and the running agent knows none.',
  },
  silent: {
    level: 'unknown',
    text: 'not known for {target}, which does not answer packets to a closed port',
    meaning:
      'Datagrams are sent to a closed UDP port, and the refusal is awaited. ClusterIPs of Services, and what network policies protect, do not refuse.',
  },
  blackHole: {
    level: 'error',
    text: 'packets to {target} are lost if they have more than {bytes} bytes, although {device} lets out {mtu}, and no router says so',
    remedy:
      'Make the MTU of the Pod’s network fit the path (the setting of your network plugin), or let ICMP through on the way.',
    meaning:
      'Datagrams of several sizes were sent that may not be fragmented. Small ones were answered by the other side, large ones were lost without a word, so that connections begin and then hang.',
  },
  peer: {
    level: 'error',
    text: 'tailscaled’s packets of {bytes} bytes do not reach {target} by {way}, while small ones do',
    remedy: 'Make the MTU of the path at least {least}, or let fragments and ICMP through on the way.',
    meaning:
      'tailscaled pinged the peer by the direct path, with small pings and with ones as long as its longest packets.',
  },
  device: {
    level: 'warning',
    text: '{device} has an MTU of {mtu}, and tailscaled sends packets of up to {least} bytes, which are fragmented there',
    remedy: 'Raise the MTU of the Pod’s network to at least {least}, or lower that of the tunnel by TS_DEBUG_MTU.',
    meaning:
      'Read from the device by which backends or peers are reached. Fragments are slow, and lost on some networks.',
  },
})

/** How many places are tried, and up to which size: only a loopback device lets out more. */
const most = 4
const jumbo = 9000
const pingMs = 2000
/** How often a peer is tried, since a direct path may have to be found first, and after how many lost pings it counts. */
const attempts = 8
const enough = 3
const pauseMs = 500

export const lookAtMtu: Look = async (looking) => {
  const { settings, agent } = looking
  const told = [...forwardedTo(looking, 'tailnet'), ...(agent?.status.dns?.addresses ?? [])]
  const backends = [...new Set([...settings.targets.map(({ text }) => text), ...told])]
  const addresses = backends.flatMap((text) => parseAddress(text) ?? []).slice(0, most)
  // If tailscaled does not answer, that is told elsewhere, and backends do not depend on it.
  const peers = toPeers(looking).catch(() => [])
  const found = await Promise.all([...addresses.map((one) => toBackend(looking, one)), peers])
  const all = found.flat()
  if (all.length > 0) return all
  return [
    mtu.notUsed({
      why: agent === undefined ? 'no address of a backend is set' : 'nothing is forwarded to the cluster',
    }),
  ]
}

async function toBackend({ clock, signal }: Looking, address: Address): Promise<readonly Finding[]> {
  const way = await wayTo(address)
  if (way === undefined) return [mtu.silent({ target: address.text })]
  const limit = Math.min(way.mtu, jumbo)
  const bytes = await largestThatArrives(limit, (size) => arrives(address, size, clock, signal))
  return judgeBackend(address.text, way, bytes)
}

export function judgeBackend(
  target: string,
  way: { readonly device: string; readonly mtu: number },
  bytes: number,
): readonly Finding[] {
  const narrow = way.mtu < outer ? [mtu.device({ ...way, least: outer })] : []
  if (bytes === 0) return [mtu.silent({ target }), ...narrow]
  return [
    bytes < Math.min(way.mtu, jumbo) ? mtu.blackHole({ target, bytes, ...way }) : mtu.ok({ target, bytes }),
    ...narrow,
  ]
}

/** Only direct paths: what goes through a relay is a stream. */
async function toPeers(looking: Looking): Promise<readonly Finding[]> {
  if (looking.agent === undefined) return []
  const { api, clock, signal } = looking
  const peers = (await peersOf(looking)).slice(0, most)
  const found = await Promise.all(
    peers.map(async ({ name, address }): Promise<readonly Finding[]> => {
      const ask = (size?: number) =>
        pong(api, { address, kind: 'disco', ...(size !== undefined && { size }) }, signal, pingMs)
      let lost = 0
      for (let left = attempts; left > 0; left -= 1) {
        const small = await ask()
        if (small?.path !== 'direct') {
          await clock.sleep(pauseMs, signal)
          continue
        }
        if ((await ask(pingBytes))?.path === 'direct') return [mtu.ok({ bytes: outer, target: `${name}, directly` })]
        lost += 1
        if (lost === enough) return [mtu.peer({ bytes: outer, target: name, way: small.via, least: outer })]
      }
      return []
    }),
  )
  return found.flat()
}
