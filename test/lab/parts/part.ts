/** A part of a bed that is built here: a directory in the cache. */
export type Part<Name extends string = string> = {
  readonly name: Name
  /** Everything that the part depends on; another text makes another part. */
  readonly inputs: () => Promise<string>
  /** Fills the empty directory `into`. Must not keep state elsewhere that an interruption could leave incomplete. */
  readonly build: (into: string, note: (detail: string) => void) => Promise<void>
}
