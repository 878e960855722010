import { defaultDevice } from '../../netfilter/table.ts'
import { flagValue } from '../../lib/go-flags.ts'
import { quote } from '../../lib/quote.ts'
import type { EnvReader } from './env-reader.ts'

/** The value of `--tun` for userspace networking. */
const none = 'userspace-networking'

const tunOf = ({ words }: EnvReader): string | undefined => flagValue(words('TS_TAILSCALED_EXTRA_ARGS'), 'tun')

/** The name of tailscaled's device. `tunProblem` must have found no problem. */
export const readTunnelDevice = (env: EnvReader): string => tunOf(env) ?? defaultDevice

/**
 * Whether the rules can contain this name of a device. Linux allows more characters, but nft reads `*` as a
 * wildcard, tailscaled `,` as a list, and the kernel `%d` as a number to choose.
 */
const isDevice = (name: string): boolean => /^[a-z\d_][\w.-]{0,14}$/i.test(name)

/** Whether tailscaled can create a device for this `--tun`: it uses the first item of the list that works. */
const isMade = (list: string): boolean =>
  list.split(',').some((name) => name === none || /^(?:tap:.+|(?!-|\.\.?$)[^/:\s]{1,15})$/.test(name))

/**
 * What is wrong with tailscaled's `--tun`, and what to write instead. `needsDevice` is the variable of a mode whose
 * rules name the device; other modes accept what tailscaled accepts.
 */
export function tunProblem(env: EnvReader, needsDevice: string | undefined): string | undefined {
  const name = tunOf(env)
  if (name === undefined || (name === none && env.bool('TS_USERSPACE'))) return undefined
  if (name === none) {
    const other = needsDevice === undefined ? ', or set TS_USERSPACE=true' : `: ${needsDevice} needs a device`
    return `--tun=${none} contradicts TS_USERSPACE=false: take it out${other}`
  }
  if (needsDevice === undefined ? isMade(name) : isDevice(name)) return undefined
  return `--tun=${quote(name)} is no name of a device: 1 to 15 letters, digits, dots, underscores and hyphens are accepted`
}

/** tailscaled uses the last `--tun`, that of the extra arguments, but the agent then does not prepare a device. */
export function tunWarnings(env: EnvReader): string[] {
  const name = tunOf(env)
  if (name === undefined || !env.bool('TS_USERSPACE')) return []
  if (name.split(',').includes(none)) return []
  return [
    `--tun=${name} makes tailscaled use a device although TS_USERSPACE is true: set TS_USERSPACE=false, or take it out`,
  ]
}
