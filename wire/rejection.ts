/** One entry of a document that cannot be used; the others are. */
export type Rejection = {
  /** The entry's key. */
  readonly entry: string
  /** Path of the field within the entry, such as `ports[2].matchPort`; empty for the entry as a whole. */
  readonly field: string
  /** What is wrong with it, and what is accepted. */
  readonly reason: string
}
