import * as z from 'zod/mini'
import { CulvertError } from '../lib/errors.ts'
import { type Field, readHujsonObject } from '../lib/hujson.ts'
import { optional } from '../lib/json.ts'
import { fieldNamed, goJson, isSameField, unknownFields } from './go-json.ts'

/** The parts of tailscaled's config file that the agent uses. */
export type DeviceConfigContent = {
  /** Verbatim, also `file:PATH`, which tailscaled resolves; empty if absent. */
  readonly authKey: string
  /** Undefined if absent: tailscaled then keeps those that it has. */
  readonly advertiseRoutes: readonly string[] | undefined
  readonly isAppConnector: boolean
  readonly advertiseServices: readonly string[]
  readonly disableSnat: boolean
}

const text = optional(z.string())
const flag = optional(z.boolean())
const texts = optional(z.array(z.string()))
const flags = (...names: string[]) =>
  optional(
    z
      .record(z.string(), optional(z.boolean()))
      .check(z.refine((value) => Object.keys(value).every((name) => names.some((known) => isSameField(known, name))))),
  )

/** The file's fields, spelled as operators write them. */
const schema = z.object({
  /** Unless it is false, tailscaled refuses changes of preferences and serve configs over LocalAPI. */
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
  /** The content is left to tailscaled, as are address texts. */
  ServeConfigTemp: optional(z.record(z.string(), z.unknown())),
  StaticEndpoints: texts,
  RelayServerPort: optional(z.int().check(z.minimum(0), z.maximum(65535))),
  RelayServerStaticEndpoints: texts,
})

const names = Object.keys(schema.shape)
const version = 'alpha0'

/** All fields of tailscaled's config file but the version, of which there is only one. */
export type DeviceConfigFile = Readonly<z.output<typeof schema>>

/**
 * Reads tailscaled's config file like tailscaled itself.
 * @throws CulvertError `settings` with file, position and reason, never with a value.
 */
export function parseDeviceConfigFile(path: string, bytes: Buffer): DeviceConfigFile {
  const fields = readHujsonObject(path, bytes).map((field) => [field.name, field] as const)
  const found = fieldNamed(fields, 'Version')
  if (found === undefined) {
    throw new CulvertError('settings', `${path}: the field "version" is missing; it must be "${version}"`)
  }
  if (found.value !== version) throw found.error(`the version is not "${version}"`)
  const [unknown] = unknownFields(fields, ['Version', ...names])
  if (unknown !== undefined) throw unknown[1].error(`tailscaled knows no field ${printable(unknown[0])}`)
  const known = new Map(
    names.flatMap((name) => {
      const field = fieldNamed(fields, name)
      return field === undefined ? [] : [[name, field] as const]
    }),
  )
  const parsed = z.safeParse(schema, Object.fromEntries([...known].map(([name, { value }]) => [name, value])))
  if (!parsed.success) throw refusal(parsed.error, known)
  return parsed.data
}

/** The text of a config file with these fields. */
export const renderDeviceConfigFile = (file: DeviceConfigFile): string => goJson({ Version: version, ...file })

/** The parts that the agent uses of a config file; throws as `parseDeviceConfigFile` does. */
export function parseDeviceConfig(path: string, bytes: Buffer): DeviceConfigContent {
  const { AuthKey, AdvertiseRoutes, AppConnector, AdvertiseServices, DisableSNAT } = parseDeviceConfigFile(path, bytes)
  return {
    authKey: AuthKey ?? '',
    advertiseRoutes: AdvertiseRoutes ?? undefined,
    // Its only field, however that is spelled.
    isAppConnector: Object.values(AppConnector ?? {}).includes(true),
    advertiseServices: AdvertiseServices ?? [],
    disableSnat: DisableSNAT ?? false,
  }
}

/**
 * The same file with other AdvertiseServices, as JSON.
 * @throws CulvertError `settings` as `readHujsonObject` does.
 */
export function withAdvertisedServices(path: string, bytes: Buffer, services: readonly string[]): Buffer {
  const fields = readHujsonObject(path, bytes)
    .filter(({ name }) => !isSameField(name, 'AdvertiseServices'))
    .map(({ name, value }) => [name, value])
  const all = [...fields, ['AdvertiseServices', services]]
  // An object would keep a repeated name at its first position.
  return Buffer.from(`{${all.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`)
}

function refusal({ issues: [issue] }: z.core.$ZodError, fields: ReadonlyMap<string, Field>): CulvertError {
  const name = String(issue?.path[0])
  const expected = issue?.code === 'invalid_type' ? `: ${issue.expected} expected` : ''
  const what = `${name} has no value that tailscaled takes${expected}`
  return fields.get(name)?.error(what) ?? new CulvertError('settings', what)
}

/** A misplaced key must not be repeated. */
const printable = (name: string): string => (/^[a-z]{1,40}$/i.test(name) ? `"${name}"` : 'with this name')
