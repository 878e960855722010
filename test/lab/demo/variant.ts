import type { Bed } from '../bed.ts'
import type { Group } from '../parts/table.ts'
import type { Progress } from '../progress.ts'

export type Addresses = { readonly v4: string; readonly v6: string }

/** A demo's bed, whose client reaches the backend through the proxy. */
export type DemoBed = Bed<'client'>

/** What is shown besides the ways: the text of its step, and what came back. */
export type Show = { readonly what: string; readonly show: () => Promise<Shown> }
export type Shown = {
  readonly title: string
  readonly from: string
  readonly came: string
  /** The client as the backend saw it; empty if it does not say. */
  readonly saw: string
  /** Milliseconds. */
  readonly took: number
}

export type Played = {
  readonly bed: DemoBed
  readonly proxy: Addresses
  readonly backend: Addresses
  /** As many as `shows` of the variant. */
  readonly further?: readonly Show[]
  /** What to print at the end. */
  readonly story?: () => Promise<string>
}

/** A variant of the demo: where the agent and the backend run, and how they are started. */
export type Variant = {
  /** The parts that it needs besides those of every bed. */
  readonly groups: readonly Group[]
  /** The number of progress steps of `play`. */
  readonly steps: number
  /** How much it shows besides the ways. */
  readonly shows?: number
  /**
   * Starts everything and passes the bed on as soon as it is up. Returns the addresses to reach, and those that must
   * not be reachable directly.
   */
  readonly play: (
    options: { readonly name: string; readonly owned: boolean; readonly started: (bed: DemoBed) => void },
    steps: Progress,
  ) => Promise<Played>
  /** Commands to look around with, as typed. */
  readonly look: (name: string) => readonly string[]
}
