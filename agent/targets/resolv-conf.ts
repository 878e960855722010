import { type Address, parseAddress } from '../../lib/address.ts'
import { codeOf } from '../../lib/errors.ts'
import { readSmallFile } from '../../lib/read-file.ts'

export type ResolvConf = {
  readonly servers: readonly Address[]
  /** Domains that are appended to a short name. */
  readonly search: readonly string[]
  /** A name with at least this many dots is first tried as it is. */
  readonly ndots: number
}

/** Far more than a resolver needs. */
const maxBytes = 64 * 1024

/** tailscaled's backup of the file that it replaces when it takes over DNS. */
const backup = '/etc/resolv.pre-tailscale-backup.conf'
/** tailscaled's own resolver. */
const magicDns = new Set(['100.100.100.100', 'fd7a:115c:a1e0::53'])

/** Parses a resolv.conf as glibc does. A server with a zone is left out, since it is link-local. */
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
 * The Pod's own resolv.conf. Once tailscaled has taken over DNS, this is the one that was read before, or tailscaled's
 * backup: the name of a backend is one of the cluster, and tailscaled's resolver works only while tailscaled runs.
 */
export async function podResolvConf(root: string, before: ResolvConf | undefined): Promise<ResolvConf> {
  const isOurs = ({ servers }: ResolvConf): boolean => servers.some(({ text }) => magicDns.has(text))
  const now = parseResolvConf(await readResolvConf(`${root}/etc/resolv.conf`))
  if (!isOurs(now)) return now
  if (before !== undefined && !isOurs(before)) return before
  const copy = parseResolvConf(await readResolvConf(`${root}${backup}`))
  return copy.servers.length > 0 && !isOurs(copy) ? copy : now
}

/** The full names to try for a name, in this order. */
export function fullNames(name: string, { search, ndots }: ResolvConf): string[] {
  if (name.endsWith('.')) return [name]
  const within = search.map((domain) => `${name}.${domain}.`).filter(({ length }) => length <= 254)
  const dots = name.split('.').length - 1
  return dots >= ndots ? [`${name}.`, ...within] : [...within, `${name}.`]
}
