import { type Address, parseAddress } from '../../lib/address.ts'
import { parseUint32 } from '../../lib/go-values.ts'

/** Normalises a name for comparison: neither case nor dots at the ends matter. */
export const nameKey = (name: string): string =>
  name.slice(name.startsWith('.') ? 1 : 0, name.endsWith('.') ? -1 : undefined).toLowerCase()

/** Why a text is not a full name; undefined if it is one. The content of labels is not checked. */
export function nameProblem(name: string): string | undefined {
  const bare = nameKey(name)
  if (bare === '') return 'it is empty'
  if (Buffer.byteLength(bare) > 253) return 'it is longer than the 254 bytes of a name with its last dot'
  const wrong = bare.split('.').some((label, index, { length }) => {
    const size = Buffer.byteLength(label)
    return index < length - 1 && (size < 1 || size > 63)
  })
  return wrong ? 'it has a label that is empty or longer than 63 bytes' : undefined
}

/**
 * The address that a 4via6 name such as `10-1-0-5-via-7.lab.ts.net` stands for: an IPv4 address behind the subnet
 * router of a site. Undefined for any other name.
 */
export function viaAddress(name: string): Address | undefined {
  const [first = '', ...rest] = nameKey(name).split('.')
  if (rest.length > 0 && !/(?:^|\.)(?:ts|tailscale)\.net$/.test(rest.join('.'))) return undefined
  const [, dashed = '', number = ''] = /^(\d+-\d+-\d+-\d+)-via-(.+)$/.exec(first) ?? []
  const site = parseUint32(number)
  if (site === undefined || parseAddress(dashed.replaceAll('-', '.')) === undefined) return undefined
  const [a = 0, b = 0, c = 0, d = 0] = dashed.split('-').map(Number)
  const groups = [site >>> 16, site & 0xffff, (a << 8) | b, (c << 8) | d].map((group) => group.toString(16))
  return parseAddress(`fd7a:115c:a1e0:b1a:${groups.join(':')}`)
}
