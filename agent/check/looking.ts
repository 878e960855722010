import type { AddressPort } from '../../lib/address.ts'
import type { RunCommand } from '../../lib/command.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Finding } from '../../lib/finding.ts'
import type { LocalApi } from '../../localapi/client.ts'
import type { Paths } from '../../localapi/paths.ts'
import type { DeviceConfigFile } from '../../wire/device-config.ts'
import type { Environment } from '../settings/read.ts'
import type { Settings } from '../settings/settings.ts'
import type { Agent } from './agent.ts'

/** What all that is looked at gets. */
export type Looking = {
  readonly settings: Settings
  readonly env: Environment
  /** tailscaled's config file; undefined without one. */
  readonly file: DeviceConfigFile | undefined
  /** Undefined before the start. */
  readonly agent: Agent | undefined
  readonly api: LocalApi
  /** What tailscaled says of the peers that matter here, asked once. */
  readonly tailnet: () => Promise<Paths>
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
