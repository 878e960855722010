/** An environment variable that the agent knows. */
export type Variable = {
  readonly name: string
  readonly type:
    | 'text'
    | 'boolean'
    | 'duration'
    | 'address'
    | 'addresses'
    | 'ports'
    | 'address and port'
    | 'words'
    | 'path'
  readonly default?: string
  readonly effect: string
  /** An empty value has its own meaning. */
  readonly presence?: true
  /** As a flag it takes only `file:PATH`, since arguments are visible to other processes. */
  readonly secret?: true
  /** The newer name of the same setting; the flag of the older name sets that variable. */
  readonly olderNameOf?: string
}

/** The flag that sets it, without hyphens before it: `dest-ip` for `TS_DEST_IP`, `pod-ip` for `POD_IP`. */
export const flagOf = (name: string): string => name.replace(/^TS_/, '').toLowerCase().replaceAll('_', '-')
