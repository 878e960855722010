import { type Address, contains, parseAddress, parsePrefix } from '../../lib/address.ts'
import type { LocalNetwork } from '../world/local-network.ts'
import type { World } from '../world/world.ts'
import { indexOf } from './peer-index.ts'

/** The part of World that is used. */
type Facts = Pick<World, 'settings' | 'network' | 'tailnet'>

const special = (
  [
    ['0.0.0.0/8', 'no address of a host'],
    ['::/128', 'no address of a host'],
    ['127.0.0.0/8', 'a loopback address'],
    ['::1/128', 'a loopback address'],
    ['169.254.0.0/16', 'a link-local address'],
    ['fe80::/10', 'a link-local address'],
    ['224.0.0.0/4', 'a multicast address'],
    ['ff00::/8', 'a multicast address'],
    ['240.0.0.0/4', 'no address of a host'],
  ] as const
).map(([text, what]) => ({ prefix: parsePrefix(text)!, what }))

/** The kind of an address to which nothing can be forwarded; undefined for all others. */
export const specialAddress = (address: Address): string | undefined =>
  special.find(({ prefix }) => contains(prefix, address))?.what

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
