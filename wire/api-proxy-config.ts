import { CulvertError } from '../lib/errors.ts'
import { type Field, readHujsonObject } from '../lib/hujson.ts'
import { fieldNamed } from './go-json.ts'
import { fieldOf, flagOf, isAbsent, itemsOf, type JsonCursor, Refusal, refusal, textOf } from './json-cursor.ts'

/**
 * Whom the API server sees: `auth` the caller, whom the proxy impersonates; `noauth` whoever the caller's own
 * credentials say.
 */
export type ApiProxyMode = 'auth' | 'noauth'

/** The part of a proxy's config document that concerns the API server. */
export type ApiProxyConfig = {
  /** Undefined if nothing is to be passed on. */
  readonly mode: ApiProxyMode | undefined
  /**
   * The Tailscale Services under whose names clients come, such as `svc:kube`; none: under the node's own name. There
   * are several while a name changes, of which Tailscale's proxy knows the first one.
   */
  readonly serviceNames: readonly string[]
}

const version = 'v1alpha1'

/**
 * Reads the config document of a proxy for the API server, HuJSON of version `v1alpha1`, as Tailscale's operator writes
 * it. Its other fields are for others.
 * @throws CulvertError `settings` with file and reason, never with a value: it may hold a key.
 */
export function parseApiProxyConfig(path: string, bytes: Buffer): ApiProxyConfig {
  const fields = readHujsonObject(path, bytes).map((field) => [field.name, field] as const)
  const [stated, nested] = [fieldNamed(fields, 'Version'), fieldNamed(fields, version)]
  if (stated !== undefined && nested !== undefined)
    throw nested.error(`there is both a field "version" and one "${version}"`)
  try {
    if (nested !== undefined) return read(fieldOf({ value: nested.value, path: version }, 'APIServerProxy'))
    if (stated?.value !== version) throw new Refusal('version', `it must be "${version}"`)
    return read(at(fieldNamed(fields, 'APIServerProxy')))
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    throw new CulvertError('settings', `${path}: ${error.field}: ${error.message}`)
  }
}

const at = (field: Field | undefined): JsonCursor => ({ value: field?.value, path: 'APIServerProxy' })

function read(cursor: JsonCursor): ApiProxyConfig {
  if (isAbsent(cursor)) return { mode: undefined, serviceNames: [] }
  const [enabled, mode, service] = ['Enabled', 'Mode', 'ServiceName'].map((name) => fieldOf(cursor, name))
  const others = fieldOf(cursor, 'OtherServiceNames')
  const serviceNames = [service!, ...(isAbsent(others) ? [] : itemsOf(others))]
    .map(serviceOf)
    .filter((name) => name !== '')
  const known = (['auth', 'noauth'] as const).find((one) => one === mode!.value)
  if (!flagOf(enabled!)) return { mode: undefined, serviceNames }
  if (known === undefined) throw refusal(mode!, '"auth" or "noauth"')
  return { mode: known, serviceNames }
}

function serviceOf(cursor: JsonCursor): string {
  const name = textOf(cursor)
  if (name !== '' && !/^svc:[a-z0-9-]{1,63}$/.test(name)) throw refusal(cursor, 'the name of a Tailscale Service')
  return name
}
