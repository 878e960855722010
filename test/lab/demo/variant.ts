import type { Bed } from '../bed.ts'
import type { Group } from '../parts/table.ts'
import type { Progress } from '../progress.ts'

export type Addresses = { readonly v4: string; readonly v6: string }

/** A demo's bed, whose client reaches the backend through the proxy. */
export type DemoBed = Bed<'client'>

/** A variant of the demo: where the agent and the backend run, and how they are started. */
export type Variant = {
  /** The parts that it needs besides those of every bed. */
  readonly groups: readonly Group[]
  /** The number of progress steps of `play`. */
  readonly steps: number
  /**
   * Starts everything and passes the bed on as soon as it is up. Returns the addresses to reach, and those that must
   * not be reachable directly.
   */
  readonly play: (
    options: { readonly name: string; readonly owned: boolean; readonly started: (bed: DemoBed) => void },
    steps: Progress,
  ) => Promise<{ readonly bed: DemoBed; readonly proxy: Addresses; readonly backend: Addresses }>
  /** Commands to look around with, as typed. */
  readonly look: (name: string) => readonly string[]
}
