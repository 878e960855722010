import { parseAddress } from '../../lib/address.ts'
import { readSmallFile } from '../../lib/read-file.ts'
import type { DnsAnswer } from '../../lib/resolver.ts'
import type { Found } from './look-up.ts'
import { nameKey } from './names.ts'

/** Far more than the hosts files of Pods have. */
const maxBytes = 1024 * 1024

/** After how many seconds the file is read again. */
const ttl = 30

/** The addresses of exactly this name in a hosts file; undefined if it has none. */
export function inHosts(text: string, name: string): Found | undefined {
  const key = nameKey(name)
  const addresses = new Map(
    text.split('\n').flatMap((line) => {
      const [first = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/)
      const address = names.some((one) => nameKey(one) === key) ? parseAddress(first) : undefined
      return address === undefined ? [] : [[address.text, address] as const]
    }),
  )
  if (addresses.size === 0) return undefined
  const answer = (family: 4 | 6): DnsAnswer => {
    const held = [...addresses.values()].filter((address) => address.family === family)
    return held.length === 0 ? { kind: 'none', exists: true } : { kind: 'addresses', addresses: held, ttl }
  }
  return { as: `${name} in /etc/hosts`, answers: { 4: answer(4), 6: answer(6) } }
}

/** The Pod's hosts file; empty if it cannot be read, since a name is then resolved by DNS, as by the C library. */
export const readHosts = (root: string): Promise<string> =>
  readSmallFile(`${root}/etc/hosts`, maxBytes).then(
    (bytes) => bytes.toString('utf8'),
    () => '',
  )
