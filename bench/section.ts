/** One quantity that was measured on both sides, in the same order: the n-th values of both belong together. */
export type Row = {
  readonly what: string
  readonly unit: string
  readonly better: 'less' | 'more'
  readonly ours: readonly number[]
  /** Empty where the other side cannot do it. */
  readonly other: readonly number[]
  /** The ratio that is the goal: at most where less is better, at least where more is. */
  readonly goal?: number
  /** The place of its medians on the section's chart. */
  readonly point?: { readonly curve: string; readonly services: number }
}

/** Rows with the same counterpart: one table of the results. */
export type Section = {
  readonly title: string
  /** Our side; `ours` when left out. */
  readonly ours?: string
  /** The other side. */
  readonly against: string
  readonly rows: readonly Row[]
  /** How it was measured, one paragraph. */
  readonly note: string
  /** The name, without its suffix, of the image that shows the rows with a point. */
  readonly chart?: string
}
