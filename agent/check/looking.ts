import type { AddressPort } from '../../lib/address.ts'
import type { RunCommand } from '../../lib/command.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Finding } from '../../lib/finding.ts'
import type { LocalApi } from '../../localapi/client.ts'
import type { Tailnet } from '../../localapi/tailnet.ts'
import type { Ruleset } from '../forwarding/ruleset.ts'
import type { Environment } from '../settings/read.ts'
import type { Settings } from '../settings/settings.ts'

/** What the running agent says of itself, as far as it is used here: the answers of its socket. */
export type Agent = {
  readonly status: {
    readonly checks: Readonly<Record<string, { readonly state: string; readonly reason: string | null }>>
    readonly firewall: { readonly name: string; readonly reason: string } | null
    readonly dns: { readonly addresses: readonly string[] } | null
    readonly node: { readonly addresses: readonly string[] }
    readonly rejected: readonly {
      readonly file: string
      readonly entry: string
      readonly field: string
      readonly reason: string
    }[]
    readonly tailscaled: { readonly health: readonly string[]; readonly version: string | null }
  }
  readonly ruleset: Pick<Ruleset, 'mappings'>
}

/** What all that is looked at gets. */
export type Looking = {
  readonly settings: Settings
  readonly env: Environment
  /** Undefined before the start. */
  readonly agent: Agent | undefined
  readonly api: LocalApi
  /** What tailscaled says of peers, asked once. */
  readonly tailnet: () => Promise<Tailnet>
  readonly run: RunCommand
  readonly clock: Clock
  /** Where data may be sent to measure a transfer: an address of the tailnet and a port. */
  readonly transfer: AddressPort | undefined
  readonly signal: AbortSignal
}

/** Looks at one thing. May reject: then it is not known. */
export type Look = (looking: Looking) => Promise<readonly Finding[]>

/** The addresses to which what comes from there is forwarded, each once. */
export const forwardedTo = ({ agent }: Looking, from: 'tailnet' | 'cluster'): readonly string[] => [
  ...new Set((agent?.ruleset.mappings ?? []).flatMap((one) => (one.from === from ? one.to.map(withoutPort) : []))),
]

/** `[fd7a::1]:443` is `fd7a::1`, and `100.64.0.2:443` is `100.64.0.2`. */
const withoutPort = (text: string): string => /^\[(.*)\]/.exec(text)?.[1] ?? text.replace(/^([\d.]+):\d+$/, '$1')
