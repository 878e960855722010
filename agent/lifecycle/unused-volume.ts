import { readFileSync } from 'node:fs'
import type { Settings } from '../settings/settings.ts'

/** Where something is mounted, within `root`; nothing if that is not known. */
export function mountPoints(root: string): string[] {
  try {
    return readFileSync(`${root}/proc/self/mountinfo`, 'utf8')
      .split('\n')
      .flatMap((line) => line.split(' ')[4] ?? [])
  } catch {
    return []
  }
}

/** Where tailscaled would keep its state if it ran by itself, so that people mount a volume there or above it. */
const usual = '/var/lib/tailscale'
const places = new Set([usual, '/var/lib'])

/** A volume for the state that nothing is written to, since the variable for it was forgotten. */
export function unusedVolume({ state, tailscaledExtraArgs }: Settings, mounted: readonly string[]): string[] {
  const elsewhere = tailscaledExtraArgs.some((word) => /^--?state(?:dir)?(?:=|$)/.test(word))
  const volume = mounted.find((point) => places.has(point))
  if (state.kind !== 'memory' || elsewhere || volume === undefined) return []
  return [
    `${volume} is mounted, but the node’s state is kept in memory, so that each start makes a new node: set TS_STATE_DIR=${usual}`,
  ]
}
