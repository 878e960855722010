/** An environment variable that the agent knows. */
export type Variable = {
  readonly name: string
  readonly type: 'text' | 'boolean' | 'duration' | 'address' | 'addresses' | 'address and port' | 'words' | 'path'
  readonly default?: string
  readonly effect: string
  /** Set but empty has a meaning of its own. */
  readonly presence?: true
  /** As a flag it takes `file:PATH` alone: arguments are seen by everybody. */
  readonly secret?: true
  /** The same setting, whose name its flag sets. */
  readonly olderNameOf?: string
}

/** The flag that sets it, without hyphens before it: `dest-ip` for `TS_DEST_IP`, `pod-ip` for `POD_IP`. */
export const flagOf = (name: string): string => name.replace(/^TS_/, '').toLowerCase().replaceAll('_', '-')
