import { type Address, contains, inTailnet, parseAddress, parsePrefix } from '../../lib/address.ts'
import { specialAddress } from '../../lib/special-address.ts'
import { UserError } from '../../kube/controller/controller.ts'
import { annotations as table, type Annotations } from '../objects/annotations.ts'
import { invalidService } from '../objects/exposed-service.ts'

export type EgressTarget = {
  /** An address, or a full name without the dot at its end; the other one is empty. */
  readonly target: { readonly ip: string; readonly fqdn: string }
  /** It is behind a subnet router: a node that accepts no routes cannot reach it. */
  readonly isRouted: boolean
}

/**
 * The target in the tailnet that the annotations of a Service name, at least one of which is there.
 * @throws UserError `INVALIDSERVICE` for several targets, and for an address that no node can have
 */
export function targetOf({ tailnetIp, oldTailnetIp, tailnetFqdn }: Annotations): EgressTarget {
  const address = tailnetIp ?? oldTailnetIp
  if (tailnetFqdn === undefined) return byAddress(address!)
  if (address === undefined) return byName(tailnetFqdn)
  const both = `annotation ${table.tailnetFqdn.name} names ${tailnetFqdn}, and ${addressName(tailnetIp)} ${address.text}`
  throw new UserError(invalidService, `${both}: a Service has one target`, 'Remove one of the annotations.')
}

const addressName = (tailnetIp: Address | undefined): string =>
  tailnetIp === undefined ? table.oldTailnetIp.name : table.tailnetIp.name

function byName(name: string): EgressTarget {
  if (parseAddress(name) !== undefined) {
    const message = `annotation ${table.tailnetFqdn.name} is ${name}, which is an address`
    throw new UserError(invalidService, message, `Put it into ${table.tailnetIp.name}.`)
  }
  return { target: { ip: '', fqdn: name.toLowerCase() }, isRouted: /^(?:\d+-){4}via-/i.test(name) }
}

/** The addresses of IPv4 networks behind subnet routers, 4via6. */
const sites = parsePrefix('fd7a:115c:a1e0:b1a::/64')!

function byAddress(address: Address): EgressTarget {
  const what = specialAddress(address)
  if (what !== undefined) {
    const remedy = 'Give an address of the tailnet, or of a network that is routed there.'
    throw new UserError(invalidService, `the target ${address.text} is ${what}`, remedy)
  }
  return { target: { ip: address.text, fqdn: '' }, isRouted: !inTailnet(address) || contains(sites, address) }
}
