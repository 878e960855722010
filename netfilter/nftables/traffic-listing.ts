import * as z from 'zod/mini'
import { parseAddress } from '../../lib/address.ts'
import { CulvertError } from '../../lib/errors.ts'
import { type Counts, noCounts, podPlace, type Reading, unmappedPlace } from '../traffic.ts'

const counter = z.object({ packets: z.number(), bytes: z.number() })
const element = z.object({
  elem: z.object({ val: z.object({ concat: z.array(z.union([z.string(), z.number()])) }), counter }),
})
const listing = z.object({
  nftables: z.array(
    z.object({
      set: z.optional(z.object({ name: z.string(), elem: z.optional(z.array(element)) })),
      counter: z.optional(z.object({ name: z.string(), packets: z.number() })),
    }),
  ),
})

/**
 * Reads `nft -j list table` of the counters.
 * @throws CulvertError `netfilter` when the text is no such listing.
 */
export function readTraffic(json: string): Reading {
  const places = new Map<string, Counts>()
  try {
    for (const { set, counter: named } of z.parse(listing, JSON.parse(json)).nftables) {
      if (named?.name === 'unmapped') places.set(unmappedPlace, { ...noCounts, refused: named.packets })
      const kind = set?.name.split('_')[0] ?? ''
      for (const { elem } of set?.elem ?? []) {
        const place = placeIn(elem.val.concat.slice(0, -1).map(String))
        const to = elem.val.concat.at(-1) === 'original'
        places.set(place, { ...(places.get(place) ?? noCounts), ...countsOf(kind, to, elem.counter) })
      }
    }
  } catch (error) {
    throw new CulvertError('netfilter', 'nft printed counters that cannot be read', { cause: error })
  }
  return places
}

function countsOf(kind: string, to: boolean, { packets, bytes }: z.infer<typeof counter>): Partial<Counts> {
  if (kind === 'begun') return { connections: packets }
  if (kind === 'refused') return { refused: packets }
  return to ? { toBytes: bytes, toPackets: packets } : { fromBytes: bytes, fromPackets: packets }
}

/** `ipv4`, or `ipv4`, `tcp` and `10000`, or an address. */
function placeIn([first = '', protocol, port]: readonly string[]): string {
  if (first !== 'ipv4' && first !== 'ipv6') return parseAddress(first)?.text ?? first
  return podPlace(first === 'ipv4' ? 4 : 6, protocol === undefined ? undefined : `${protocol}/${port}`)
}
