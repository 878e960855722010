import { parseAddress, parseAddressPort } from '../../lib/address.ts'
import { CulvertError } from '../../lib/errors.ts'
import { parseBool } from '../../lib/go-values.ts'
import { quote } from '../../lib/quote.ts'
import { type VariableName, variables } from './variables.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** The environment through the closed list of variables: another name does not compile. */
export type EnvReader = {
  /** The raw value; undefined when unset. For variables that mean something when empty. */
  readonly raw: (name: VariableName) => string | undefined
  /** The default when unset or empty. */
  readonly text: (name: VariableName) => string
  /** The default when it is not a boolean, which is not an error since manifests rely on it. */
  readonly bool: (name: VariableName) => boolean
  readonly words: (name: VariableName) => string[]
  /** As `text`, with the brackets that `$(POD_IP):9002` lacks in an IPv6 Pod. */
  readonly addressPort: (name: VariableName) => string
}

const defaults = new Map(variables.map((variable) => [variable.name, variable.default ?? '']))

export function envReader(env: Environment): EnvReader {
  const fallback = (name: VariableName): string => defaults.get(name) ?? ''
  const text = (name: VariableName): string => env[name] || fallback(name)
  const pod = [env['POD_IP'] ?? '', ...(env['POD_IPS'] ?? '').split(',')]
  const own = new Set(pod.flatMap((part) => parseAddress(part)?.text ?? []))
  return {
    raw: (name) => env[name],
    text,
    bool: (name) => parseBool(env[name] ?? '') ?? parseBool(fallback(name)) ?? false,
    words: (name) =>
      text(name)
        .split(/\s+/)
        .filter((word) => word !== ''),
    addressPort: (name) => {
      const value = text(name)
      const colon = value.lastIndexOf(':')
      const bracketed = `[${value.slice(0, colon)}]${value.slice(colon)}`
      const repaired = parseAddressPort(bracketed)
      return repaired !== undefined && own.has(parseAddress(repaired.host)?.text ?? '') ? bracketed : value
    },
  }
}

/** The error for a value that can never work. */
export function refusal(name: VariableName, value: string, accepted: string): CulvertError {
  return new CulvertError('settings', `${name}=${quote(value, 200)} is not valid: ${accepted}`)
}
