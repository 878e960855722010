import type { ApiError, Feature } from './error.ts'

/**
 * Calls of Tailscale's HTTP API, or of another server's that is like it. All reject with ApiError, also when `signal`
 * aborts. What is removed and is gone already counts as removed.
 */
export type TailscaleApi = {
  /**
   * Makes an auth key for one node. It is not sent again unless the server says that it did not take it; so when the
   * answer is lost, a key may exist that nobody knows, until it expires.
   */
  readonly mintKey: (key: NewKey, signal: AbortSignal) => Promise<MintedKey>
  /** Takes the key back; a node that has used it stays. `id` is that of `MintedKey`. */
  readonly removeKey: (id: string, signal: AbortSignal) => Promise<void>
  /** Undefined if there is none with this ID. */
  readonly getKey: (id: string, signal: AbortSignal) => Promise<AuthKey | undefined>
  /** With its routes. Undefined if there is none with this stable ID; none has an empty one. */
  readonly getDevice: (id: string, signal: AbortSignal) => Promise<TailnetDevice | undefined>
  readonly listDevices: (signal: AbortSignal) => Promise<readonly TailnetDevice[]>
  readonly removeDevice: (id: string, signal: AbortSignal) => Promise<void>
  /** `name` is such as `svc:web`. Undefined if there is none. */
  readonly getService: (name: string, signal: AbortSignal) => Promise<TailscaleService | undefined>
  readonly listServices: (signal: AbortSignal) => Promise<readonly TailscaleService[]>
  /** Creates the Service, or replaces what it says. Gives it as the server has it then, with its addresses. */
  readonly putService: (service: TailscaleService, signal: AbortSignal) => Promise<TailscaleService>
  readonly removeService: (name: string, signal: AbortSignal) => Promise<void>
  /**
   * Lists devices, keys and Services. Gives an error for each part of the API that the server lacks, `no-route`, or
   * that the credentials do not allow, `forbidden`; rejects with any other.
   */
  readonly check: (signal: AbortSignal) => Promise<readonly ApiError[]>
  /** Whose routes, exit nodes and Services the tailnet approves by itself. */
  readonly autoApprovers: (signal: AbortSignal) => Promise<AutoApprovers>
  /** Whether nodes may have certificates; undefined if the server does not say. */
  readonly hasHttps: (signal: AbortSignal) => Promise<boolean | undefined>
  /** Whether nodes resolve each other's names; undefined if the server does not say. */
  readonly hasMagicDns: (signal: AbortSignal) => Promise<boolean | undefined>
  /** What calls have found to be absent so far. */
  readonly lacks: () => ReadonlySet<Feature>
}

/** Users, groups and tags that a tailnet's policy names as approved. */
export type AutoApprovers = {
  readonly routes: readonly { readonly network: string; readonly by: readonly string[] }[]
  readonly exitNode: readonly string[]
  /** Those of each entry, whichever Services it is for. */
  readonly services: readonly (readonly string[])[]
}

/** A key for one registration, which needs no approval then; the node is not ephemeral. */
export type NewKey = {
  /** At least one: a key of an OAuth client must have tags that its own tags own. */
  readonly tags: readonly string[]
  /** At most 50 letters, digits, dashes and spaces. */
  readonly description: string
  readonly expirySeconds: number
}

export type MintedKey = {
  /** For `removeKey`; no secret. */
  readonly id: string
  /** The secret. */
  readonly key: string
  /** When it can no longer be used, if the server says so. */
  readonly expires: Date | undefined
}

/** An auth key without its secret. */
export type AuthKey = { readonly id: string; readonly description: string }

export type TailnetDevice = {
  /** The stable ID, such as agents write as `device_id`. */
  readonly id: string
  /** The full name, without a final dot; with some servers only its first label. */
  readonly name: string
  readonly hostname: string
  readonly addresses: readonly string[]
  readonly tags: readonly string[]
  /** The public machine key, `mkey:…`; undefined for a device of another tailnet that is shared with this one. */
  readonly machineKey: string | undefined
  /** Whether it is connected to the control server now; undefined if that does not say. */
  readonly isConnected?: boolean | undefined
  /** Which networks the node offers, and which of all are approved; not in lists, and not with every server. */
  readonly routes?: { readonly advertised: readonly string[]; readonly enabled: readonly string[] }
}

export type TailscaleService = {
  /** Such as `svc:web`. */
  readonly name: string
  /** One of each family. Empty in a new one: the server chooses; otherwise as the server gave them. */
  readonly addrs: readonly string[]
  readonly comment: string
  readonly annotations: Readonly<Record<string, string>>
  /** Such as `tcp:443`; the order means nothing. */
  readonly ports: readonly string[]
  readonly tags: readonly string[]
}
