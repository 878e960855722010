import { type Address, contains, parseAddress } from '../../lib/address.ts'
import { specialAddress } from '../../lib/special-address.ts'
import type { LocalNetwork } from '../world/local-network.ts'
import type { World } from '../world/world.ts'
import { indexOf } from './peer-index.ts'

/** The part of World that is used. */
type Facts = Pick<World, 'settings' | 'network' | 'tailnet'>

/** Why egress must not route to an address; undefined if it may. */
export function refusal(address: Address, { settings, network, tailnet }: Facts): string | undefined {
  const is = (others: readonly (Address | undefined)[] = []): boolean =>
    others.some((other) => other?.text === address.text)
  const what = specialAddress(address)
  if (what !== undefined) return `${address.text} is ${what}`
  if (is([settings.pod.ipv4, settings.pod.ipv6].map(parseAddress)) || is(network?.addresses.map((own) => own.address)))
    return `${address.text} is this Pod’s own address`
  if (is(tailnet.self?.addresses)) return `${address.text} is this node’s own address`
  if (is(network?.apiServer)) return `${address.text} is the Kubernetes API, which the agent itself needs`
  if (is(network?.resolvers)) return `${address.text} is a resolver of /etc/resolv.conf, which the agent itself needs`
  const link = linkOf(address, network)
  if (link === undefined || ownedByPeer(address, tailnet)) return undefined
  return `${address.text} is in ${link.onLink.text}, the network of ${link.device}, and no node’s own address`
}

/** A warning about an egress address; undefined if there is none. */
export function overlapWarning(address: Address, { network, tailnet }: Omit<Facts, 'settings'>): string | undefined {
  const link = linkOf(address, network)
  if (link === undefined || !ownedByPeer(address, tailnet)) return undefined
  return `${address.text} of the tailnet is also in ${link.onLink.text}, the network of ${link.device}: what has it there is out of reach`
}

const linkOf = (address: Address, network: LocalNetwork | undefined) =>
  network?.addresses.find(({ onLink }) => contains(onLink, address))

const ownedByPeer = (address: Address, { peers }: Facts['tailnet']): boolean =>
  peers !== undefined && indexOf(peers).withAddress(address) !== undefined
