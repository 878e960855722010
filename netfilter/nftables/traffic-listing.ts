import { parseAddress } from '../../lib/address.ts'
import { CulvertError } from '../../lib/errors.ts'
import { type Counts, noCounts, podPlace, type Reading, unmappedPlace } from '../traffic.ts'

/** A set begins; the counter with a name; an element with its key. */
const part =
  /^\tset (\w+) \{$|^\tcounter unmapped \{\n\t\tpackets (\d+)|([0-9a-z][0-9a-z.: ]*) counter packets (\d+) bytes (\d+)/gm

/**
 * Reads `nft list table` of the counters. Not JSON: with 20,000 services that takes ten times as long.
 * @throws CulvertError `netfilter` when the text is no such listing.
 */
export function readTraffic(listing: string, table: string): Reading {
  if (!listing.startsWith(`table inet ${table} {`)) {
    throw new CulvertError('netfilter', 'nft printed counters that cannot be read')
  }
  const places = new Map<string, Counts>()
  let kind = ''
  for (const [, set, unmapped, key, packets, bytes] of listing.matchAll(part)) {
    if (set !== undefined) kind = set.split('_')[0] ?? ''
    else if (unmapped !== undefined) places.set(unmappedPlace, { ...noCounts, refused: Number(unmapped) })
    else {
      const fields = (key ?? '').split(' . ')
      const place = placeIn(fields.slice(0, -1))
      const counted = countsOf(kind, fields.at(-1) === 'original', Number(packets), Number(bytes))
      places.set(place, { ...(places.get(place) ?? noCounts), ...counted })
    }
  }
  return places
}

function countsOf(kind: string, to: boolean, packets: number, bytes: number): Partial<Counts> {
  if (kind === 'begun') return { connections: packets }
  if (kind === 'refused') return { refused: packets }
  return to ? { toBytes: bytes, toPackets: packets } : { fromBytes: bytes, fromPackets: packets }
}

/** `ipv4`, or `ipv4`, `tcp` and `10000`, or an address. */
function placeIn([first = '', protocol, port]: readonly string[]): string {
  if (first !== 'ipv4' && first !== 'ipv6') return parseAddress(first)?.text ?? first
  return podPlace(first === 'ipv4' ? 4 : 6, protocol === undefined ? undefined : `${protocol}/${port}`)
}
