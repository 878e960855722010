import { parseBool } from '../../lib/go-values.ts'
import type { Environment } from './env-reader.ts'
import type { Variable } from './variable.ts'
import { variables } from './variables.ts'

/** Warnings about values that are not what was meant, most of them for a habit of the file that they come from. */
export function oddValues(environment: Environment): string[] {
  return variables.flatMap((variable) => {
    const value = environment[variable.name] ?? ''
    return inQuotes(variable, value) ?? notReplaced(variable, value) ?? notBoolean(variable, value) ?? []
  })
}

const isBoolean = (value: string): boolean => value === '' || parseBool(value) !== undefined
const countsAs = (variable: Variable): string => `counts as ${variable.default ?? 'unset'}`

/** In a list of compose, as in `docker run --env-file`, quotes are nothing special. */
function inQuotes(variable: Variable, value: string): string | undefined {
  const { name, type } = variable
  if (!/^(["']).*\1$/s.test(value) || value.length < 2) return undefined
  const effect = type === 'boolean' ? `, so that it ${countsAs(variable)}` : ''
  return `${name} has quotes around its value, which belong to it${effect}: leave them out, or put them around ${name}=… as a whole`
}

/** Kubernetes and systemd do not replace what shells and compose do, and the reverse. */
function notReplaced({ name }: Variable, value: string): string | undefined {
  const [, inParentheses] = /\$\((\w+)\)/.exec(value) ?? []
  if (inParentheses !== undefined)
    return `${name} contains $(${inParentheses}), which nobody has replaced: Kubernetes would if ${inParentheses} were listed before ${name}`
  // Without what stands for it where it is not set, which may be a secret.
  const [, other] = /\$\{(\w+)(?:[:?+-][^}]*)?\}/.exec(value) ?? /^\$([A-Z_]+)$/.exec(value) ?? []
  return other === undefined
    ? undefined
    : `${name} contains \${${other}}, which nobody has replaced: compose and shells would, Kubernetes and systemd do not`
}

function notBoolean(variable: Variable, value: string): string | undefined {
  if (variable.type !== 'boolean' || isBoolean(value)) return undefined
  return `${variable.name}=${JSON.stringify(value)} is not a boolean and ${countsAs(variable)}`
}
