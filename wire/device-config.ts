import * as z from 'zod/mini'
import { CulvertError } from '../lib/errors.ts'
import { type Field, readHujsonObject } from '../lib/hujson.ts'

/** What the agent uses of tailscaled's config file. */
export type DeviceConfigContent = {
  /** Verbatim, also `file:PATH`, which tailscaled resolves; empty when there is none. */
  readonly authKey: string
  readonly advertiseRoutes: readonly string[]
  readonly advertiseServices: readonly string[]
  /** While true, tailscaled refuses other preferences and serve configs over LocalAPI. */
  readonly locked: boolean
}

const optional = <T extends z.ZodMiniType>(type: T) => z.optional(z.nullable(type))
const text = optional(z.string())
const flag = optional(z.boolean())
const texts = optional(z.array(z.string()))
/** tailscaled matches the names of fields whatever their case. */
const flags = (...names: string[]) =>
  optional(
    z
      .record(z.string(), optional(z.boolean()))
      .check(z.refine((value) => Object.keys(value).every((name) => names.includes(name.toLowerCase())))),
  )

/** The file's fields (localapi-apiproxy-recorder.md §A.6), spelled as operators write them (operator.md §4.1). */
const schema = z.object({
  Version: z.string(),
  Locked: flag,
  ServerURL: text,
  AuthKey: text,
  Enabled: flag,
  OperatorUser: text,
  Hostname: text,
  acceptDNS: flag,
  acceptRoutes: flag,
  exitNode: text,
  allowLANWhileUsingExitNode: flag,
  AdvertiseRoutes: texts,
  AdvertiseExitNode: flag,
  DisableSNAT: flag,
  AdvertiseServices: texts,
  AppConnector: flags('advertise'),
  NetfilterMode: text,
  NoStatefulFiltering: flag,
  PostureChecking: flag,
  RunSSHServer: flag,
  RunWebClient: flag,
  ShieldsUp: flag,
  RemoteConfig: flag,
  AutoUpdate: flags('check', 'apply'),
  /** What is inside is left to tailscaled, as are the texts of addresses. */
  ServeConfigTemp: optional(z.record(z.string(), z.unknown())),
  StaticEndpoints: texts,
  RelayServerPort: optional(z.int().check(z.minimum(0), z.maximum(65535))),
  RelayServerStaticEndpoints: texts,
})

const spelling = new Map(Object.keys(schema.shape).map((name) => [name.toLowerCase(), name]))

/**
 * Reads the config file of tailscaled. Of a field that occurs twice the last counts, as it does for tailscaled.
 * @throws CulvertError `settings` with file, position and reason, never with a value.
 */
export function parseDeviceConfig(path: string, bytes: Buffer): DeviceConfigContent {
  const known = new Map<string, Field>()
  let unknown: Field | undefined
  for (const field of readHujsonObject(path, bytes)) {
    const name = spelling.get(field.name.toLowerCase())
    if (name === undefined) unknown ??= field
    else known.set(name, field)
  }
  const version = known.get('Version')
  if (version === undefined) {
    throw new CulvertError('settings', `${path}: the field "version" is missing; it must be "alpha0"`)
  }
  if (version.value !== 'alpha0') throw version.error('the version is not "alpha0"')
  if (unknown !== undefined) throw unknown.error(`tailscaled knows no field ${printable(unknown.name)}`)
  const parsed = z.safeParse(schema, Object.fromEntries([...known].map(([name, { value }]) => [name, value])))
  if (!parsed.success) throw refusal(parsed.error, known)
  const { AuthKey, AdvertiseRoutes, AdvertiseServices, Locked } = parsed.data
  return {
    authKey: AuthKey ?? '',
    advertiseRoutes: AdvertiseRoutes ?? [],
    advertiseServices: AdvertiseServices ?? [],
    locked: Locked ?? true,
  }
}

/**
 * The same file with other AdvertiseServices, as JSON.
 * @throws CulvertError `settings` as `readHujsonObject` does.
 */
export function withAdvertisedServices(path: string, bytes: Buffer, services: readonly string[]): Buffer {
  const fields = readHujsonObject(path, bytes)
    .filter(({ name }) => name.toLowerCase() !== 'advertiseservices')
    .map(({ name, value }) => [name, value])
  const all = [...fields, ['AdvertiseServices', services]]
  // An object would have a name that occurs twice in its first place.
  return Buffer.from(`{${all.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`)
}

function refusal({ issues: [issue] }: z.core.$ZodError, fields: ReadonlyMap<string, Field>): CulvertError {
  const name = String(issue?.path[0])
  const expected = issue?.code === 'invalid_type' ? `: ${issue.expected} expected` : ''
  const what = `${name} has no value that tailscaled takes${expected}`
  return fields.get(name)?.error(what) ?? new CulvertError('settings', what)
}

/** A key in the place of a name must not be told. */
const printable = (name: string): string => (/^[a-z]{1,40}$/i.test(name) ? `"${name}"` : 'with this name')
