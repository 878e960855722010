/** A followed document: its last good state, and why the newest version is rejected. */
export type Mounted<Content> = {
  /** Its last good state; undefined before there was any, which means that nothing is configured. */
  readonly content: Content
  /** Why the newest version is rejected; absent if it is not. */
  readonly rejected?: string
}
