/** One thing that was measured on both sides, in the same order: the n-th values of both belong together. */
export type Row = {
  readonly what: string
  readonly unit: string
  readonly better: 'less' | 'more'
  readonly ours: readonly number[]
  readonly other: readonly number[]
}

/** Rows with the same counterpart: one table of the results. */
export type Section = {
  readonly title: string
  /** Who the other side is. */
  readonly against: string
  readonly rows: readonly Row[]
  /** How it was measured, one paragraph. */
  readonly note: string
}
