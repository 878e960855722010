import * as z from 'zod/mini'
import { type Address, parseAddress, parseSingleAddressPrefix } from '../lib/address.ts'

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
  readonly self?: Self
  /** Set on an InitialStatus: it replaces everything held. */
  readonly initial?: true
  readonly browseToUrl?: string
  readonly noSnat?: boolean
  /** Text of each health warning by its code. */
  readonly health?: ReadonlyMap<string, string>
  readonly error?: string
}

const optional = <T extends z.ZodMiniType>(type: T) => z.optional(z.nullable(type))
const peerStatus = z.object({ ID: z.string(), DNSName: z.string(), TailscaleIPs: optional(z.array(z.string())) })
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
  InitialStatus: optional(statusSchema),
  BrowseToURL: optional(z.string()),
  Health: optional(z.object({ Warnings: optional(z.record(z.string(), warning)) })),
})

/**
 * Reads one line of `watch-ipn-bus`.
 * @throws Error when it is no JSON, or a used field has another shape than documented (§A.4).
 */
export function parseNotify(line: string): Notification {
  const parsed = z.safeParse(notifySchema, JSON.parse(line))
  if (!parsed.success) throw new Error(`unexpected notification: ${z.prettifyError(parsed.error)}`)
  const { ErrMessage, State, Prefs, SelfChange, InitialStatus, BrowseToURL, Health } = parsed.data
  const state = backendStates[State ?? -1] ?? backendStates.find((name) => name === InitialStatus?.BackendState)
  const url = BrowseToURL ?? InitialStatus?.AuthURL
  const self = SelfChange ? selfOfNode(SelfChange) : InitialStatus?.Self ? selfOfStatus(InitialStatus.Self) : undefined
  return {
    ...(state !== undefined && { state }),
    ...(self !== undefined && { self }),
    ...(InitialStatus && { initial: true as const }),
    ...(url && { browseToUrl: url }),
    ...(Prefs && { noSnat: Prefs.NoSNAT ?? false }),
    ...(Health && { health: healthTexts(Health.Warnings ?? {}) }),
    ...(ErrMessage && { error: ErrMessage }),
  }
}

/**
 * Reads the answer of `status`: it says what an InitialStatus says.
 * @throws Error when it is no JSON, or a used field has another shape than documented (§A.5).
 */
export const parseStatus = (body: string): Notification => parseNotify(`{"InitialStatus":${body}}`)

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
  new Map(Object.entries(warnings).map(([code, { Title, Text }]) => [code, Text || Title || code]))
