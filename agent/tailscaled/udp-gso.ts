import { parseBool } from '../../lib/go-values.ts'
import type { Environment } from '../settings/read.ts'
import type { Settings } from '../settings/settings.ts'

/** tailscaled's own switch. */
const variable = 'TS_DEBUG_DISABLE_UDP_GSO'
/** The first release of tailscaled that knows it. */
export const udpGsoSince = '1.100'

/**
 * Why UDP segmentation offload loses packets on this release of Linux, such as `7.0.2-6-pve`; undefined if nothing is
 * known. From 7.0 to 7.1.4, the kernel writes wrong headers into pieces of equal length, for some network devices;
 * distributions may have mended theirs, which their number does not tell (tailscale/tailscale#19777).
 */
export function gsoFault(release: string): string | undefined {
  const [, major = 0, minor = 0, patch = 0] = (/^(\d+)\.(\d+)(?:\.(\d+))?/.exec(release) ?? []).map((part) =>
    Number(part ?? 0),
  )
  const isBroken = major === 7 && (minor === 0 || (minor === 1 && patch < 5))
  return isBroken
    ? `Linux ${release} is one of 7.0 to 7.1.4, which spoil packets that are handed over together`
    : undefined
}

/** Why tailscaled is to go without UDP segmentation offload; undefined: it uses it where it can. */
export function withoutUdpGso({ udpGso }: Pick<Settings, 'udpGso'>, release: string): string | undefined {
  if (udpGso === 'off') return 'CULVERT_UDP_GSO is off'
  return udpGso === 'auto' ? gsoFault(release) : undefined
}

/** The environment of tailscaled that says so. */
export const udpGsoEnv = (reason: string | undefined): Record<string, string> =>
  reason === undefined ? {} : { [variable]: 'true' }

/** Whether somebody has set tailscaled's own switch. */
export const isSwitchedOff = (env: Environment): boolean => parseBool(env[variable] ?? '') === true
