import { CulvertError } from '../../lib/errors.ts'
import { type FlagType, nearestFlag, parseFlags } from '../../lib/flags.ts'
import type { Environment } from './env-reader.ts'
import { instead } from './stray-names.ts'
import { flagOf } from './variable.ts'
import { variables } from './variables.ts'

/** The environment merged with the flags, which child processes get, too. */
export type Started = {
  readonly env: Environment
  /** Replaces the names of variables in a text by those of the flags that set them. */
  readonly named: (text: string) => string
  /** Variables of the environment for which a flag gives another value. */
  readonly hidden: readonly string[]
}

const byFlag = new Map(variables.map((variable) => [flagOf(variable.name), variable]))
/** All flags, and whether they have a value. */
export const settingFlags = new Map(
  [...byFlag].map(([flag, { type }]): [string, FlagType] => [flag, type === 'boolean' ? type : 'value']),
)

/** The beginning of a key of Tailscale or Headscale, or of an argument of `tailscale up` with a secret as its value. */
const secret = /\b[th]skey-|(?:^|\s)--?(?:auth-?key|client-secret|id-token)[=\s]\s*(?!file:)\S/

/**
 * Reads the flags of `culvert run`; the last one of a setting counts.
 * @throws CulvertError `usage` naming the flag, without its value.
 */
export function readFlags(args: readonly string[], env: Environment): Started {
  const flags = new Map<string, string>()
  const values: Record<string, string> = {}
  for (const { name: flag, value } of parseFlags(args, settingFlags, suggestion)) {
    const variable = byFlag.get(flag)!
    const isFile = value === '' || value.startsWith('file:')
    if (variable.secret ? !isFile : secret.test(value)) throw revealed(flag, variable.secret)
    const name = variable.olderNameOf ?? variable.name
    flags.set(name, `--${flag}`)
    values[name] = value
  }
  return {
    env: { ...env, ...values },
    named: (text) => rename(text, (name) => flags.get(name)),
    hidden: [...flags.keys()].filter((name) => (env[name] ?? '') !== '' && env[name] !== values[name]),
  }
}

/** Replaces the names of variables in a text. */
const rename = (text: string, as: (name: string) => string | undefined): string =>
  text.replaceAll(/\b[A-Z][A-Z0-9_]+\b/g, (name) => as(name) ?? name)

/** What to write instead of an unknown flag. The known mistakes are those of variables. */
function suggestion(flag: string): string | undefined {
  const name = flag.toUpperCase().replaceAll('-', '_').replace(/^TS_/, '')
  const write = instead[`TS_${name}`] ?? instead[name]
  if (write === undefined) return nearestFlag(flagOf(name), settingFlags)
  return rename(write, (variable) => (byFlag.has(flagOf(variable)) ? `--${flagOf(variable)}` : undefined))
}

function revealed(flag: string, takesFile = false): CulvertError {
  const problem = takesFile ? 'takes only file:PATH' : 'contains a secret'
  return new CulvertError('usage', `--${flag} ${problem}: arguments are visible to other processes`, {
    remedy: 'Put the secret into a file and give file:PATH, or set the variable.',
  })
}
