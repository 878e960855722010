import { CulvertError } from '../../lib/errors.ts'
import { type FlagType, nearestFlag, parseFlags } from '../../lib/flags.ts'
import type { Environment } from './env-reader.ts'
import { instead } from './stray-names.ts'
import { flagOf } from './variable.ts'
import { variables } from './variables.ts'

/** What the agent is started with: flags are laid over the environment, so that children get them, too. */
export type Started = {
  readonly env: Environment
  /** A text about settings, with those that a flag has set by the names of their flags. */
  readonly named: (text: string) => string
  /** Variables of the environment that a flag with another value goes before. */
  readonly hidden: readonly string[]
}

const byFlag = new Map(variables.map((variable) => [flagOf(variable.name), variable]))
const types = new Map(
  [...byFlag].map(([flag, { type }]): [string, FlagType] => [flag, type === 'boolean' ? type : 'value']),
)

/** What a key begins with, of Tailscale or Headscale, or what stands before a secret in arguments of `tailscale up`. */
const secret = /\b[th]skey-|(?:^|\s)--?(?:auth-?key|client-secret|id-token)[=\s]\s*(?!file:)\S/

/**
 * Reads the flags of `culvert run`; the last of one setting wins.
 * @throws CulvertError `usage` naming the flag, without its value.
 */
export function readFlags(args: readonly string[], env: Environment): Started {
  const flags = new Map<string, string>()
  const values: Record<string, string> = {}
  for (const { name: flag, value } of parseFlags(args, types, suggestion)) {
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

/** A text with other words for the names of variables in it. */
const rename = (text: string, as: (name: string) => string | undefined): string =>
  text.replaceAll(/\b[A-Z][A-Z0-9_]+\b/g, (name) => as(name) ?? name)

/** What to write instead of a flag that there is not. Known mistakes are those for variables. */
function suggestion(flag: string): string | undefined {
  const name = flag.toUpperCase().replaceAll('-', '_').replace(/^TS_/, '')
  const write = instead[`TS_${name}`] ?? instead[name]
  if (write === undefined) return nearestFlag(flagOf(name), types)
  return rename(write, (variable) => (byFlag.has(flagOf(variable)) ? `--${flagOf(variable)}` : undefined))
}

function revealed(flag: string, takesFile = false): CulvertError {
  const problem = takesFile ? 'takes file:PATH alone' : 'has a secret in it'
  return new CulvertError('usage', `--${flag} ${problem}: arguments are seen by everybody`, {
    remedy: 'Put the secret into a file and give file:PATH, or set the variable.',
  })
}
