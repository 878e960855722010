import { CulvertError } from '../../lib/errors.ts'
import type { EnvReader } from './env-reader.ts'
import type { VariableName } from './variables.ts'

/** A rule about the environment as a whole. */
export type Rule = {
  /** For docs/settings.md. */
  readonly rule: string
  /** Throws CulvertError `settings` if it is broken, naming the variables and what to do. */
  readonly check: (env: EnvReader) => void
}

export const fail = (message: string): never => {
  throw new CulvertError('settings', message)
}

/** Whether a variable has a value. */
export const isSet =
  ({ text }: EnvReader) =>
  (name: VariableName): boolean =>
    text(name) !== ''

/** What is said of userspace networking. */
export const userspace = ({ raw }: EnvReader): string => `TS_USERSPACE=${raw('TS_USERSPACE') || 'true (the default)'}`

/** At most one of them may be set. */
export function exclusive(...all: VariableName[]): Rule {
  return {
    rule: `${names(all)} exclude each other`,
    check: (env) => {
      const both = all.filter(isSet(env))
      if (both.length > 1) fail(`${both.join(' and ')} exclude each other: set one of them`)
    },
  }
}

/** The first may be set only with the other. */
export const needs = (name: VariableName, other: VariableName): Rule => ({
  rule: `\`${name}\` needs \`${other}\``,
  check: (env) => {
    if (isSet(env)(name) && !isSet(env)(other)) fail(`${name} needs ${other}, too`)
  },
})

/** For docs/settings.md. */
export function names(all: readonly VariableName[], conjunction: 'and' | 'or' = 'and'): string {
  const marked = all.map((name) => `\`${name}\``)
  return `${marked.slice(0, -1).join(', ')} ${conjunction} ${marked.at(-1)}`
}
