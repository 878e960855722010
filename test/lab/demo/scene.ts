import type { Bed } from '../bed.ts'
import type { Group } from '../parts/table.ts'
import type { Progress } from '../progress.ts'

export type Addresses = { readonly v4: string; readonly v6: string }

/** A demo's bed, whose client reaches the backend through the proxy. */
export type DemoBed = Bed<'client'>

/** Where the agent and the backend run, and how they come to. */
export type Scene = {
  /** The parts that it takes beside those of every bed. */
  readonly groups: readonly Group[]
  /** How many steps of progress `play` takes. */
  readonly steps: number
  /** Starts everything and hands the bed over as soon as it is there. Gives where the client is to go, and where it must not get by itself. */
  readonly play: (
    options: { readonly name: string; readonly owned: boolean; readonly started: (bed: DemoBed) => void },
    steps: Progress,
  ) => Promise<{ readonly bed: DemoBed; readonly proxy: Addresses; readonly backend: Addresses }>
  /** Commands to look around with, as they are typed. */
  readonly look: (name: string) => readonly string[]
}
