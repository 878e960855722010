import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { assignment, environmentFile, mounted, type Reader, readText, urlsIn, volumes } from './container.ts'
import { readYaml } from './yaml.ts'

type Service = {
  readonly environment?: readonly string[] | Readonly<Record<string, string | number | null>>
  readonly env_file?: readonly string[]
  readonly volumes?: readonly (string | { readonly source: string; readonly target: string })[]
  readonly configs?: readonly { readonly source: string; readonly target: string }[]
  readonly secrets?: readonly string[]
  readonly healthcheck?: { readonly test: string | readonly string[] }
}
type Sources = Readonly<Record<string, { readonly content?: string; readonly file?: string }>>
type Compose = {
  readonly services: Readonly<Record<string, Service>>
  readonly configs?: Sources
  readonly secrets?: Sources
}

/** A file of compose: its variables come from `.env` beside it. */
export const readCompose: Reader = (directory, file, name) => {
  const variables = { PWD: '.', ...readVariables(directory, '.env') }
  const compose = interpolated(readYaml(readText(directory, file))[0], variables) as Compose
  const service = compose.services[name]
  if (service === undefined) throw new Error(`${file} has no service ${name}`)
  const given = volumes(
    directory,
    (service.volumes ?? []).map((one) => (typeof one === 'string' ? one : `${one.source}:${one.target}`)),
  )
  const extra = [
    ...(service.configs ?? []).map(({ source, target }) => [compose.configs?.[source], target] as const),
    ...(service.secrets ?? []).map((secret) => [compose.secrets?.[secret], `/run/secrets/${secret}`] as const),
  ].map(([source, target]) =>
    source?.content === undefined ? mounted(join(directory, source?.file ?? ''), target) : { [target]: source.content },
  )
  return {
    env: {
      ...Object.assign({}, ...(service.env_file ?? []).map((one) => readVariables(directory, one))),
      ...environmentOf(service),
    },
    mounts: [...given.mounts, ...extra.flatMap((one) => Object.keys(one))],
    files: Object.assign({ ...given.files }, ...extra),
    urls: urlsIn([service.healthcheck?.test ?? []].flat().join(' ')),
  }
}

/** The variables of a file, without quotes around them; none if it is absent. */
function readVariables(directory: string, file: string): Record<string, string> {
  if (!existsSync(join(directory, file))) return {}
  const all = Object.entries(environmentFile(readText(directory, file)))
  return Object.fromEntries(all.map(([name, value]) => [name, value.replace(/^(["'])(.*)\1$/s, '$2')]))
}

/** In a list all behind the first `=` is the value, quotes and all; in a mapping YAML has had its say. */
function environmentOf({ environment = [] }: Service): Record<string, string> {
  if (Array.isArray(environment)) return Object.fromEntries(environment.map(String).map(assignment))
  return Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, textOf(name, value)]))
}

function textOf(name: string, value: unknown): string {
  if (typeof value === 'string' || typeof value === 'number') return String(value)
  throw new Error(`compose refuses the value of ${name}: ${JSON.stringify(value)}`)
}

const pattern = /\$(?:(\$)|(\w+)|\{(\w+)(?::?-([^}]*))?\})/g

/** Replaces variables in all texts; `$$` is a dollar, and what is not set is empty. */
function interpolated(value: unknown, variables: Readonly<Record<string, string>>): unknown {
  if (typeof value === 'string') {
    return value.replaceAll(pattern, (_all, dollar, plain, braced, otherwise) =>
      dollar === undefined ? variables[plain ?? braced] || (otherwise ?? '') : '$',
    )
  }
  if (Array.isArray(value)) return value.map((one) => interpolated(one, variables))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, interpolated(one, variables)]))
}
