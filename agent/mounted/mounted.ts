/** A mounted document, as it is followed. */
export type Mounted<Content> = {
  /** As it was when it was last good; undefined before there was any, which means that nothing is configured. */
  readonly content: Content | undefined
  /** Why the newest is not used; absent when it is. */
  readonly rejected?: string
}

/** One kind of mounted document. */
export type Document<Content> = {
  /** What it is called in the log, the status and metrics. */
  readonly name: string
  /** What an empty one says, and how it is written. */
  readonly nothing: { readonly content: Content; readonly text: string }
  /** @throws CulvertError when nothing of it can be used */
  readonly parse: (bytes: Buffer, before?: Content) => Content
}
