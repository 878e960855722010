import type { FlagType } from '../lib/flags.ts'

/** An environment variable of the recorder, and the flags that set it; what the effect says is Markdown for users. */
export type Variable = {
  readonly name: string
  readonly flags: readonly string[]
  readonly type?: FlagType
  readonly default?: string
  readonly effect: string
}

/** How values of variables with these names are read; what is wrong is remembered, with what would be accepted. */
export type Reading<Name extends string> = {
  readonly text: (name: Name) => string
  readonly value: <T>(name: Name, read: (text: string) => T | undefined, accepted: string, fallback: T) => T
  readonly wrong: (problem: string) => void
}
