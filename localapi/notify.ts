import * as z from 'zod/mini'
import { type Address, parseAddress, parseSingleAddressPrefix } from '../lib/address.ts'
import { CulvertError } from '../lib/errors.ts'
import { type Keep, sieve } from './sieve.ts'

/** Names of `ipn.State` by number (localapi-apiproxy-recorder.md §A.4); Status has the name, Notify the number. */
export const backendStates = [
  'NoState',
  'InUseOtherUser',
  'NeedsLogin',
  'NeedsMachineAuth',
  'Stopped',
  'Starting',
  'Running',
] as const
export type BackendState = (typeof backendStates)[number]

export type Self = { readonly id: string; readonly name: string; readonly addresses: readonly Address[] }

/** What one bus line says that the agent uses; an absent field means unchanged. */
export type Notification = {
  readonly state?: BackendState
  /** Absent also where the daemon has no node to tell of: it is not logged in, or has not read its state yet. */
  readonly self?: Self
  /** Set on a status: it tells all that there is of the node. */
  readonly initial?: true
  readonly browseToUrl?: string
  readonly noSnat?: boolean
  /** Text of each health warning by its code. */
  readonly health?: ReadonlyMap<string, string>
  readonly error?: string
  /** Whether the node is connected to the control server. */
  readonly online?: boolean
}

const optional = <T extends z.ZodMiniType>(type: T) => z.optional(z.nullable(type))
const peerStatus = z.object({
  ID: z.string(),
  DNSName: z.string(),
  TailscaleIPs: optional(z.array(z.string())),
  Online: optional(z.boolean()),
})
const node = z.object({ StableID: z.string(), Name: z.string(), Addresses: optional(z.array(z.string())) })
const warning = z.object({ Title: optional(z.string()), Text: optional(z.string()) })
const statusSchema = z.object({
  BackendState: optional(z.string()),
  AuthURL: optional(z.string()),
  Self: optional(peerStatus),
})
const notifySchema = z.object({
  ErrMessage: optional(z.string()),
  State: optional(z.number()),
  Prefs: optional(z.object({ NoSNAT: optional(z.boolean()) })),
  SelfChange: optional(node),
  /** From daemons before 1.100, which tell of no SelfChange, or not always. */
  NetMap: optional(z.object({ SelfNode: optional(node) })),
  InitialStatus: optional(statusSchema),
  BrowseToURL: optional(z.string()),
  Health: optional(z.object({ Warnings: optional(z.record(z.string(), warning)) })),
})

/** What of a document a schema looks at. */
function keepOf(schema: z.core.$ZodType): Keep {
  const { def } = schema as unknown as { readonly def: z.core.$ZodTypes['_zod']['def'] }
  if (def.type === 'object') return new Map(Object.entries(def.shape).map(([name, type]) => [name, keepOf(type)]))
  if (def.type === 'optional' || def.type === 'nullable') return keepOf(def.innerType)
  return def.type === 'array' ? keepOf(def.element) : true
}

/** Some hundred times what a daemon with all its health warnings says; the rest, such as peers, is cut away before. */
const maxKeptBytes = 256 * 1024

/** Makes what `parseNotify` reads of a line of the bus, which may have many MB. */
export const notifySieve = () => sieve(keepOf(notifySchema), maxKeptBytes)

/**
 * Reads one line of `watch-ipn-bus`.
 * @throws CulvertError `localapi` when it is no JSON, or a used field has another shape than documented (§A.4).
 */
export function parseNotify(line: string): Notification {
  const { ErrMessage, State, Prefs, SelfChange, NetMap, InitialStatus, BrowseToURL, Health } = decode(line)
  const state = backendStates[State ?? -1] ?? backendStates.find((name) => name === InitialStatus?.BackendState)
  const url = BrowseToURL ?? InitialStatus?.AuthURL
  const changed = SelfChange ?? NetMap?.SelfNode
  const self = changed ? selfOfNode(changed) : InitialStatus?.Self ? selfOfStatus(InitialStatus.Self) : undefined
  return {
    ...(state !== undefined && { state }),
    ...(self && (self.id !== '' || self.addresses.length > 0) && { self }),
    ...(InitialStatus && { initial: true as const }),
    ...(url && { browseToUrl: url }),
    ...(Prefs && { noSnat: Prefs.NoSNAT ?? false }),
    ...(Health && { health: healthTexts(Health.Warnings ?? {}) }),
    ...(ErrMessage && { error: shorten(ErrMessage) }),
    ...(typeof InitialStatus?.Self?.Online === 'boolean' && { online: InitialStatus.Self.Online }),
  }
}

/**
 * Reads the answer of `status`: it says what an InitialStatus says.
 * @throws CulvertError `localapi` when it is no JSON, or a used field has another shape than documented (§A.5).
 */
export function parseStatus(body: string): Notification {
  const document = notifySieve()
  document.push(Buffer.from(`{"InitialStatus":${body}}`))
  return parseNotify(document.end())
}

function decode(text: string): z.infer<typeof notifySchema> {
  const unexpected = (cause: unknown): CulvertError =>
    new CulvertError('localapi', 'tailscaled said what cannot be read', { cause })
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw unexpected(error)
  }
  const parsed = z.safeParse(notifySchema, value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw unexpected(shorten(`${issue?.path.join('.')}: ${issue?.message}`))
}

/** So that no text fills the log. */
const shorten = (text: string): string => text.slice(0, 1000)

const present = (addresses: readonly (Address | undefined)[]): Address[] =>
  addresses.filter((address) => address !== undefined)

const selfOfNode = (value: z.infer<typeof node>): Self => ({
  id: value.StableID,
  name: value.Name,
  addresses: present((value.Addresses ?? []).map(parseSingleAddressPrefix)),
})

const selfOfStatus = (value: z.infer<typeof peerStatus>): Self => ({
  id: value.ID,
  name: value.DNSName,
  addresses: present((value.TailscaleIPs ?? []).map(parseAddress)),
})

const healthTexts = (warnings: Record<string, z.infer<typeof warning>>): Map<string, string> =>
  new Map(Object.entries(warnings).map(([code, { Title, Text }]) => [code, shorten(Text || Title || code)]))
