/** An entry of a document that is rejected while the others are used. */
export type Rejection = {
  /** The entry's key. */
  readonly entry: string
  /** Path of the field within the entry, such as `ports[2].matchPort`; empty for the entry as a whole. */
  readonly field: string
  /** What is wrong, and what is accepted. */
  readonly reason: string
}
