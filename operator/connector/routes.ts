import { bitsOf, contains, parseAddress, parsePrefix, type Prefix } from '../../lib/address.ts'
import { quote } from '../../lib/quote.ts'

const exits = ['0.0.0.0/0', '::/0'].map((text) => parsePrefix(text)!)

/** Where 4via6 puts the IPv4 networks of sites: 32 bits for the site, 32 for the address. */
const via = parsePrefix('fd7a:115c:a1e0:b1a::/64')!
const viaBits = 96
/** Of the site's 32 bits; the other 16 are in use. */
const unusedSiteBits = 16

/** Networks in the form and order in which tailscaled has them, without repetitions. */
export type Routes = { readonly routes: readonly Prefix[] } | { readonly problems: readonly string[] }

/** Reads the networks that a user wrote. All that are malformed are named. */
export function readRoutes(texts: readonly string[]): Routes {
  const read = texts.map((text) => ({ text, route: parsePrefix(text) }))
  const problems = read.flatMap(({ text, route }) => problemOf(text, route) ?? [])
  if (problems.length > 0) return { problems }
  const byText = new Map(read.flatMap(({ route }) => (route === undefined ? [] : [[route.text, route] as const])))
  return { routes: sorted([...byText.values()]) }
}

/** With what an exit node offers. */
export const withExits = (routes: readonly Prefix[]): readonly Prefix[] =>
  sorted([...exits, ...routes.filter(({ bits }) => bits > 0)])

const sorted = (routes: readonly Prefix[]): readonly Prefix[] =>
  routes.toSorted(
    (one, other) => one.bits - other.bits || one.family - other.family || (bitsOf(one) < bitsOf(other) ? -1 : 1),
  )

function problemOf(text: string, route: Prefix | undefined): string | undefined {
  if (route === undefined) return `${quote(text)} is no network such as 10.0.0.0/8`
  const address = parseAddress(text.replace(/\/.*/, ''))
  if (`${address?.text}/${route.bits}` !== route.text)
    return `${quote(text)} has bits behind its prefix; the network is ${route.text}`
  if (address === undefined || !contains(via, address)) return undefined
  if (route.bits < viaBits) return `${quote(text)} is no 4via6 network: its prefix must be ${viaBits} or longer`
  const site = bitsOf(route).slice(via.bits, viaBits)
  return /^0+$/.test(site.slice(0, unusedSiteBits)) ? undefined : `${quote(text)} is of a 4via6 site beyond 65535`
}
