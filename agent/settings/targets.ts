import { domainToASCII } from 'node:url'
import { type Address, families, type Family, parseAddress } from '../../lib/address.ts'
import { flagValue } from '../../lib/go-flags.ts'
import { mostAddresses } from '../../lib/resolver.ts'
import { type EnvReader, refusal } from './env-reader.ts'

/**
 * The targets of TS_DEST_IP, without duplicates.
 * @throws CulvertError `settings` naming the invalid part.
 */
function readAddresses(value: string): readonly Address[] {
  if (value === '') return []
  const targets = new Map<string, Address>()
  for (const part of value.split(',')) {
    const address = parseAddress(part.trim())
    if (address === undefined) {
      const reason = `${JSON.stringify(part.trim())} is no IP address; IP addresses, separated by commas, are accepted`
      const hint = /[g-z]/i.test(part) ? '; a name belongs in TS_EXPERIMENTAL_DEST_DNS_NAME' : ''
      throw refusal('TS_DEST_IP', value, reason + hint)
    }
    targets.set(address.text, address)
  }
  if (targets.size > mostAddresses) {
    throw refusal('TS_DEST_IP', value, `it has ${targets.size} addresses, more than ${mostAddresses}`)
  }
  return [...targets.values()]
}

/**
 * The targets of L3 ingress, or the name that has their addresses.
 * @throws CulvertError `settings` for an invalid address or name.
 */
export function readTargets({ text }: EnvReader): {
  readonly targets: readonly Address[]
  readonly targetName: string | undefined
  readonly warnings: readonly string[]
} {
  const set = text('TS_EXPERIMENTAL_DEST_DNS_NAME')
  const given = set.trim()
  // Only for non-ASCII names: domainToASCII takes some ASCII names for addresses.
  const name = /^[ -~]*$/.test(given) ? given.toLowerCase() : domainToASCII(given)
  const address = parseAddress(name)
  if (address === undefined) {
    const targetName = set === '' ? undefined : checkedName(name, given)
    return { targets: readAddresses(text('TS_DEST_IP')), targetName, warnings: [] }
  }
  const warning = `TS_EXPERIMENTAL_DEST_DNS_NAME=${given} is an address and no name: it is used as TS_DEST_IP`
  return { targets: [address], targetName: undefined, warnings: [warning] }
}

/** A name in lower case and ASCII; a dot at its end stays. */
function checkedName(name: string, given: string): string {
  const refuse = (why: string): never => {
    const accepted = 'a name such as db.prod.svc.cluster.local is accepted'
    throw refusal('TS_EXPERIMENTAL_DEST_DNS_NAME', given, `${why}; ${accepted}`)
  }
  if (name.includes(',')) refuse('it is a list, and only one name can be set; TS_DEST_IP takes several addresses')
  const bare = name.replace(/\.$/, '')
  if (bare.length > 253) refuse(`it has ${bare.length} characters, more than 253`)
  if (!/^[a-z0-9_.-]+$/.test(bare)) refuse('it has a character that no name of a host has')
  if (bare.split('.').some(({ length }) => length < 1 || length > 63)) {
    refuse('it has a part between dots that is empty or longer than 63 characters')
  }
  return name
}

/**
 * The families of a list of routes in CIDR form, which kernel mode must forward.
 * @throws CulvertError `settings` naming the first entry that is not a route.
 */
export function readRouteFamilies(value: string): Family[] {
  if (value === '') return []
  return value.split(',').map((route) => {
    const [, address = '', bits = ''] = /^([^/]+)\/(\d{1,3})$/.exec(route) ?? []
    const parsed = parseAddress(address)
    if (parsed !== undefined && Number(bits) <= (parsed.family === 4 ? 32 : 128)) return parsed.family
    throw refusal(
      'TS_ROUTES',
      value,
      `${JSON.stringify(route)} is no route; routes such as 10.0.0.0/8,fd00::/8, separated by commas without spaces, are accepted`,
    )
  })
}

/** The families of the routes that the arguments of `tailscale up` advertise; both for an exit node. */
export function advertisedFamilies(extraArgs: readonly string[]): Family[] {
  const isExitNode = extraArgs.some((word) => /^--?advertise-exit-node(?:=(?:1|t|true))?$/i.test(word))
  const routes = flagValue(extraArgs, 'advertise-routes')?.split(',').filter(Boolean) ?? []
  return families.filter((family) => isExitNode || routes.some((route) => route.includes(':') === (family === 6)))
}
