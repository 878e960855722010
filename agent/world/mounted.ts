/** A followed document: its last good state, and why the newest is not used. */
export type Mounted<Content> = {
  /** As it was when it was last good; undefined before there was any, which means that nothing is configured. */
  readonly content: Content
  /** Why the newest is not used; absent when it is. */
  readonly rejected?: string
}
