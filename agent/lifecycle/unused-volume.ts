import { readFileSync } from 'node:fs'
import { flagValue } from '../../lib/go-flags.ts'
import type { Settings } from '../settings/settings.ts'

/** The mount points within `root`; empty if they cannot be read. */
export function mountPoints(root: string): string[] {
  try {
    return readFileSync(`${root}/proc/self/mountinfo`, 'utf8')
      .split('\n')
      .flatMap((line) => line.split(' ')[4] ?? [])
  } catch {
    return []
  }
}

/** tailscaled's default directory for its state; people mount a volume there or above it. */
const usual = '/var/lib/tailscale'
const places = new Set([usual, '/var/lib'])

/** Warns of a volume for the state that is not used, because TS_STATE_DIR was forgotten. */
export function unusedVolume({ state, tailscaledExtraArgs }: Settings, mounted: readonly string[]): string[] {
  const elsewhere = ['state', 'statedir'].some((flag) => flagValue(tailscaledExtraArgs, flag) !== undefined)
  const volume = mounted.find((point) => places.has(point))
  if (state.kind !== 'memory' || elsewhere || volume === undefined) return []
  return [
    `${volume} is mounted, but the node’s state is kept in memory, so that each start makes a new node: set TS_STATE_DIR=${usual}`,
  ]
}
