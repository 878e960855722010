import * as z from 'zod/mini'
import { type Address, parseAddress, parsePrefix, parseSingleAddressPrefix } from '../lib/address.ts'
import { optional } from '../lib/json.ts'
import { asHeld, type ExtraRecord, type HeldPeer, type Peer, type PeersChange } from './peers.ts'
import { decode, keepOf } from './schema.ts'
import type { Apart, Keep } from './sieve.ts'

/** The peer changes of a message, in order, and its records. */
type Said = {
  readonly peers?: readonly PeersChange[]
  readonly records?: readonly ExtraRecord[]
}

/** The message's content about the node itself. */
type About = { readonly self?: object; readonly state?: string }

const texts = optional(z.array(z.string()))
/** As written by `quoteLargeIntegers`. */
const numericId = z.union([z.int(), z.string().check(z.regex(/^\d{16,}$/))])
const nodeSchema = z.object({
  ID: optional(numericId),
  StableID: optional(z.string()),
  Name: z.string(),
  Addresses: texts,
  AllowedIPs: texts,
})
const peerStatusSchema = z.object({
  ID: optional(z.string()),
  NodeID: optional(numericId),
  DNSName: z.string(),
  TailscaleIPs: texts,
  AllowedIPs: texts,
})
const recordSchema = z.object({ Name: z.string(), Value: z.string() })

const some = optional(z.array(z.unknown()))
/** The rest of a message after its peers and records were taken out. */
const restSchema = z.object({
  PeersChanged: some,
  PeersRemoved: some,
  NetMap: optional(z.object({ Peers: some, DNS: optional(z.object({ ExtraRecords: some })) })),
  InitialStatus: optional(z.object({ Peer: optional(z.record(z.string(), z.unknown())), ExtraRecords: some })),
})

/**
 * Reads the peers and records of a message one by one as it arrives, since there may be many. Unchanged peers are
 * replaced by the known values: new objects, kept until the message ends, would be promoted to the old generation.
 */
export function peerReader(held: HeldPeer) {
  let taken = nothingTaken()

  /** Takes values with this schema out of the message. The first invalid one makes the whole message invalid. */
  const apart = <T extends z.ZodMiniType>(schema: T, use: (value: z.infer<T>) => void): Apart => ({
    each: keepOf(schema),
    take: (text) => {
      try {
        use(decode(quoteLargeIntegers(text), schema))
      } catch (error) {
        taken.failure ??= error
      }
    },
  })
  const recordsInto = (where: 'netmapRecords' | 'statusRecords'): Apart =>
    apart(recordSchema, ({ Name, Value }) => {
      const address = parseAddress(Value)
      if (address !== undefined) taken[where].push({ name: Name, address })
    })
  const add = (where: 'changed' | 'inNetmap' | 'inStatus', key: string, peer: Peer): void => {
    taken[where].set(key, asHeld(held(key), peer))
  }
  const nodesInto = (where: 'changed' | 'inNetmap'): Apart =>
    apart(nodeSchema, ({ ID, StableID, Name, Addresses, AllowedIPs }) => {
      const addresses = (Addresses ?? []).map(parseSingleAddressPrefix)
      add(where, StableID || Name, makePeer(Name, addresses, AllowedIPs, ID))
    })
  const keep: Keep = new Map<string, Keep>([
    ['PeersChanged', nodesInto('changed')],
    ['PeersRemoved', apart(numericId, (id) => taken.removed.push(String(id)))],
    [
      'NetMap',
      new Map<string, Keep>([
        ['Peers', nodesInto('inNetmap')],
        ['DNS', new Map([['ExtraRecords', recordsInto('netmapRecords')]])],
      ]),
    ],
    [
      'InitialStatus',
      new Map<string, Keep>([
        [
          'Peer',
          apart(peerStatusSchema, ({ ID, NodeID, DNSName, TailscaleIPs, AllowedIPs }) => {
            const addresses = (TailscaleIPs ?? []).map(parseAddress)
            add('inStatus', ID || DNSName, makePeer(DNSName, addresses, AllowedIPs, NodeID))
          }),
        ],
        ['ExtraRecords', recordsInto('statusRecords')],
      ]),
    ],
  ])

  return {
    keep,
    /** Resets the reader for the next message; gives a function that completes the finished one. */
    end: (): ((rest: string, about: About) => Said) => {
      const whole = taken
      taken = nothingTaken()
      return (rest, about) => said(whole, rest, about)
    },
  }
}

const nothingTaken = () => ({
  failure: undefined as unknown,
  changed: new Map<string, Peer>(),
  removed: [] as string[],
  inNetmap: new Map<string, Peer>(),
  inStatus: new Map<string, Peer>(),
  netmapRecords: [] as ExtraRecord[],
  statusRecords: [] as ExtraRecord[],
})

function said(taken: ReturnType<typeof nothingTaken>, rest: string, { self, state }: About): Said {
  const { failure, changed, removed, inNetmap, inStatus, netmapRecords, statusRecords } = taken
  if (failure !== undefined) throw failure
  const { NetMap, InitialStatus } = decode(rest, restSchema)
  const peers: PeersChange[] = [
    // A list without any, from a running node, means that there are none, but removes no known peer.
    ...(InitialStatus && (inStatus.size > 0 || (self && state === 'Running'))
      ? [{ whole: inStatus.size > 0, changed: inStatus, removed: [] }]
      : []),
    ...(NetMap?.Peers === undefined ? [] : [{ whole: true, changed: inNetmap, removed: [] }]),
    ...(changed.size + removed.length > 0 ? [{ whole: false, changed, removed }] : []),
  ]
  const records = NetMap?.DNS
    ? netmapRecords
    : self && InitialStatus?.ExtraRecords !== undefined
      ? statusRecords
      : undefined
  return {
    ...(peers.length > 0 && { peers }),
    ...(records && { records }),
  }
}

function makePeer(
  name: string,
  given: readonly (Address | undefined)[],
  allowedIps: readonly string[] | null | undefined,
  id: string | number | null | undefined,
): Peer {
  const addresses = given.filter((address) => address !== undefined)
  const own = new Set(addresses.map(({ family, text }) => `${text}/${family === 4 ? 32 : 128}`))
  const allowed = (allowedIps ?? []).flatMap((text) => (own.has(text) ? [] : (parsePrefix(text) ?? [])))
  const nodeId = String(id ?? 0)
  return { name, addresses, allowed, ...(nodeId !== '0' && { nodeId }) }
}

/** Numeric IDs exceed the range of a number, so that such integers become text. */
const quoteLargeIntegers = (json: string): string =>
  /\d{16}/.test(json)
    ? json.replace(/"(?:[^"\\]|\\.)*"|(?<![\d.eE+-])\d{16,}(?![\d.eE])/g, (token) =>
        token.startsWith('"') ? token : `"${token}"`,
      )
    : json
