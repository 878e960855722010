import { type Address, families, type Family, familyName, parseAddress } from '../../lib/address.ts'
import { refusal } from './env-reader.ts'

/**
 * The targets of TS_DEST_IP, at most one per family.
 * @throws CulvertError `settings` naming the invalid part.
 */
export function readTargets(value: string): readonly Address[] {
  if (value === '') return []
  const accepted = 'an IP address, or one IPv4 and one IPv6 address separated by a comma, is accepted'
  const targets: Address[] = []
  for (const part of value.split(',')) {
    const address = parseAddress(part.trim())
    if (address === undefined) {
      throw refusal('TS_DEST_IP', value, `${JSON.stringify(part.trim())} is no IP address; ${accepted}`)
    }
    if (targets.some((target) => target.family === address.family)) {
      throw refusal('TS_DEST_IP', value, `it has two ${familyName(address.family)} addresses; ${accepted}`)
    }
    targets.push(address)
  }
  return targets
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
  const routes = extraArgs.flatMap((word) => /^--?advertise-routes=(.+)$/.exec(word)?.[1]?.split(',') ?? [])
  return families.filter((family) => isExitNode || routes.some((route) => route.includes(':') === (family === 6)))
}
