import { type Address, parseAddress } from '../../lib/address.ts'
import { codeOf } from '../../lib/errors.ts'
import { readSmallFile } from '../../lib/read-file.ts'

export type ResolvConf = {
  readonly servers: readonly Address[]
  /** Domains that a short name is tried in. */
  readonly search: readonly string[]
  /** A name with at least as many dots is tried as it is first. */
  readonly ndots: number
}

/** Far more than a resolver reads. */
const maxBytes = 64 * 1024

/** Where tailscaled keeps what it replaces once it takes over DNS. */
const backup = '/etc/resolv.pre-tailscale-backup.conf'
/** tailscaled's own resolver, which knows the tailnet's names first. */
const magicDns = new Set(['100.100.100.100', 'fd7a:115c:a1e0::53'])

/** Reads a resolv.conf as glibc does. A server with a zone is left out: it is link-local, and never a valid target. */
export function parseResolvConf(text: string): ResolvConf {
  const servers: Address[] = []
  let search: readonly string[] = []
  let ndots = 1
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line.trim().split(/\s+/)
    if (keyword === 'nameserver') servers.push(...[parseAddress(values[0] ?? '') ?? []].flat())
    if (keyword === 'search' || keyword === 'domain') search = values.map((domain) => domain.replace(/\.$/, ''))
    if (keyword !== 'options') continue
    const digits = values.map((option) => /^ndots:(\d{1,9})$/.exec(option)?.[1]).findLast((one) => one !== undefined)
    if (digits !== undefined) ndots = Math.min(15, Number(digits))
  }
  return { servers, search: search.filter((domain) => domain !== ''), ndots }
}

/** The file's text; empty if there is none. */
export async function readResolvConf(path: string): Promise<string> {
  try {
    return (await readSmallFile(path, maxBytes)).toString('utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return ''
    throw error
  }
}

/**
 * The Pod's own resolv.conf. Once tailscaled has taken over DNS, it is what was read before, or tailscaled's copy of it:
 * the name of a backend is the cluster's, and tailscaled's resolver is there only while tailscaled is.
 */
export async function podResolvConf(root: string, before: ResolvConf | undefined): Promise<ResolvConf> {
  const isOurs = ({ servers }: ResolvConf): boolean => servers.some(({ text }) => magicDns.has(text))
  const now = parseResolvConf(await readResolvConf(`${root}/etc/resolv.conf`))
  if (!isOurs(now)) return now
  if (before !== undefined && !isOurs(before)) return before
  const copy = parseResolvConf(await readResolvConf(`${root}${backup}`))
  return copy.servers.length > 0 && !isOurs(copy) ? copy : now
}

/** The full names that a name may stand for, in the order in which they are tried. */
export function fullNames(name: string, { search, ndots }: ResolvConf): string[] {
  if (name.endsWith('.')) return [name]
  const within = search.map((domain) => `${name}.${domain}.`).filter(({ length }) => length <= 254)
  const dots = name.split('.').length - 1
  return dots >= ndots ? [`${name}.`, ...within] : [...within, `${name}.`]
}
