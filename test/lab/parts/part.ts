/** Something the bed needs that is built here: a directory in the cache. */
export type Part<Name extends string = string> = {
  readonly name: Name
  /** Everything that decides what the part becomes; another text makes another part. */
  readonly inputs: () => Promise<string>
  /** Fills the empty directory `into`. Must not keep anything that an interruption could leave half done elsewhere. */
  readonly build: (into: string, note: (detail: string) => void) => Promise<void>
}
