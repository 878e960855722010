/** A mounted document, as it is followed. */
export type Mounted<Content> = {
  /** As it was when it was last good; undefined before there was any, which means that nothing is configured. */
  readonly content: Content | undefined
  /** Why the newest is not used; absent when it is. */
  readonly rejected?: string
}
