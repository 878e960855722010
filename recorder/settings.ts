import { type AddressPort, parseAddress, parseAddressPort } from '../lib/address.ts'
import { CulvertError } from '../lib/errors.ts'
import { type Flags, type FlagType, parseFlags } from '../lib/flags.ts'
import { parseBool, parseDuration } from '../lib/go-values.ts'
import { type LogSettings, logVariables, readLogSettings, wrongLogSettings } from '../lib/log-settings.ts'
import { nearest } from '../lib/nearest.ts'
import { quote } from '../lib/quote.ts'
import { isLoopback } from '../lib/proxy-header.ts'
import { parseKeep, parseSize } from './amounts.ts'
import { readS3, type S3Settings, s3Variables } from './s3/settings.ts'
import type { Reading, Variable } from './variable.ts'

/** The variables that matter wherever recordings are kept. */
export const variables = [
  {
    name: 'TSRECORDER_DST',
    flags: ['dir', 'dst'],
    effect:
      'The directory in which recordings are kept, which is made if it is not there; or `s3://HOST` for a bucket of an S3 server',
  },
  {
    name: 'TS_SOCKET',
    flags: ['socket'],
    default: '/var/run/tailscale/tailscaled.sock',
    effect: 'Socket of tailscaled’s LocalAPI',
  },
  {
    name: 'CULVERT_RECORDER_LISTEN',
    flags: ['listen'],
    default: '127.0.0.2:8080',
    effect:
      'Where tailscaled connects to. With PROXY headers, an address of 127.0.0.0/8, but not 127.0.0.1, where the tailnet and `kubectl port-forward` could get to, with a header of their own',
  },
  {
    name: 'CULVERT_RECORDER_PROXY_PROTOCOL',
    flags: ['proxy-protocol'],
    type: 'boolean',
    default: 'true',
    effect:
      'Whether connections come from tailscaled’s serve, with a PROXY header of version 2. With `false`, peers connect themselves, to an address of the node in the tailnet',
  },
  {
    name: 'TSRECORDER_UI',
    flags: ['ui'],
    type: 'boolean',
    default: 'false',
    effect: 'Whether there is [a web page](#looking-at-recordings), on which recordings are found and played',
  },
  {
    name: 'CULVERT_RECORDER_WEB_LISTEN',
    flags: ['web-listen'],
    default: '127.0.0.2:8081',
    effect:
      'Where tailscaled connects to for the web page, always with a PROXY header, when it has ended TLS. An address as above',
  },
  {
    name: 'CULVERT_RECORDER_PORT',
    flags: ['port'],
    default: '9004',
    effect: 'Port of `/livez`, `/readyz` and `/metrics`',
  },
  {
    name: 'CULVERT_RECORDER_KEEP',
    flags: ['keep'],
    effect:
      'How long recordings and events are kept after they were last written to, such as `90d` or `12h`. Without it, for ever',
  },
  {
    name: 'CULVERT_RECORDER_MAX_SIZE',
    flags: ['max-size'],
    effect:
      'How much is kept, such as `200Gi`: the oldest is removed when there is more. Without it, as much as there is room for',
  },
  {
    name: 'CULVERT_RECORDER_MAX_SESSION_SIZE',
    flags: ['max-session-size'],
    effect: 'How large one recording may become, such as `10Gi`; then it is cut off. Without it, there is no limit',
  },
  {
    name: 'CULVERT_RECORDER_DRAIN',
    flags: ['drain'],
    default: '20s',
    effect: 'How long open recordings may go on after SIGTERM, up to 24h; then they are cut off',
  },
  { ...logVariables[0], flags: ['log-format'], type: 'value' },
  { ...logVariables[1], flags: ['log-level'], type: 'value' },
] as const satisfies readonly Variable[]

/** What the recorder of Tailscale takes, and this one need not: the agent beside it is the node of the tailnet. */
const ofTheNode = new Map<string, readonly string[]>([
  ['TSRECORDER_HOSTNAME', ['hostname']],
  ['TSRECORDER_LOGIN_SERVER', []],
  ['TS_STATE', ['state']],
  ['TS_STATE_DIR', ['statedir']],
  ['TS_AUTHKEY', []],
  ['TS_AUTHKEY_FILE', []],
])

/** What the recorder of Tailscale takes, and this one does not have yet. */

/** All variables that the recorder knows. */
export const allVariables = [...variables, ...s3Variables]

type Name = (typeof allVariables)[number]['name']

const defaults = new Map<string, string>(
  allVariables.flatMap((one) => ('default' in one ? [[one.name, one.default] as const] : [])),
)

export type Settings = {
  /** For recordings, or for the spool of S3. */
  readonly directory: string
  /** Undefined: the directory is where they stay. */
  readonly s3: S3Settings | undefined
  readonly socket: string
  readonly listen: AddressPort
  readonly isProxied: boolean
  /** Where the web page listens, if there is one. */
  readonly web: AddressPort | undefined
  readonly port: number
  /** Milliseconds and bytes; Infinity without a limit. */
  readonly keepMs: number
  readonly maxBytes: number
  readonly maxSessionBytes: number
  readonly drainMs: number
}

export type Environment = Readonly<Record<string, string | undefined>>

/** The variable that each flag sets. */
const byFlag = new Map<string, { readonly name: string; readonly type: FlagType }>([
  ...allVariables.flatMap(({ name, flags, ...rest }) =>
    flags.map((flag) => [flag, { name, type: 'type' in rest ? rest.type : 'value' }] as const),
  ),
  ...[...ofTheNode].flatMap(([name, flags]) => flags.map((flag) => [flag, { name, type: 'value' as const }] as const)),
])

/** All flags that set something. */
export const flags: Flags = new Map([...byFlag].map(([flag, { type }]) => [flag, type]))

/**
 * The environment with what the arguments say instead.
 * @throws CulvertError `usage` for an unknown one
 */
export function withFlags(env: Environment, args: readonly string[]): Environment {
  const given = parseFlags(args, flags).map(({ name, value }) => [byFlag.get(name)!.name, value] as const)
  return { ...env, ...Object.fromEntries(given) }
}

/** How to log; what is wrong with that is among the problems of the settings. */
export const logSettings = (env: Environment): LogSettings => readLogSettings((name) => env[name]?.trim())

/**
 * Reads and checks the recorder's environment.
 * @throws CulvertError `settings` that names all problems at once
 */
export function readSettings(env: Environment): Settings {
  const problems: string[] = []
  const text = (name: Name): string => env[name]?.trim() || (defaults.get(name) ?? '')
  const value: Reading<Name>['value'] = (name, read, accepted, fallback) => {
    const found = read(text(name))
    if (found === undefined) problems.push(`${name}=${quote(text(name), 200)} is not valid: ${accepted} is accepted`)
    return found ?? fallback
  }
  for (const { name, accepted } of wrongLogSettings(text)) value(name, () => undefined, accepted, undefined)
  const isProxied = value('CULVERT_RECORDER_PROXY_PROTOCOL', parseBool, 'true or false', true)
  const accepted = (example: string): string => `such as ${example}, but not 127.0.0.1,`
  const hasPage = value('TSRECORDER_UI', parseBool, 'true or false', false)
  const web = value(
    'CULVERT_RECORDER_WEB_LISTEN',
    (given) => parseListen(given, true),
    accepted('127.0.0.2:8081'),
    undefined,
  )
  const size = (name: Name): number => value(name, parseSize, 'a size such as 200Gi', Infinity)
  const wrong = (problem: string): void => void problems.push(problem)
  const place = text('TSRECORDER_DST')
  if (place === '') wrong('TSRECORDER_DST, or --dir, must say where recordings are kept')
  const [, endpoint] = /^s3:(?:\/\/)?(.*)$/.exec(place) ?? []
  const settings = {
    directory: endpoint === undefined ? place : text('CULVERT_RECORDER_SPOOL'),
    s3: endpoint === undefined ? undefined : readS3(endpoint, env['AWS_SESSION_TOKEN'], { text, value, wrong }),
    socket: text('TS_SOCKET'),
    listen: value(
      'CULVERT_RECORDER_LISTEN',
      (given) => parseListen(given, isProxied),
      isProxied ? accepted('127.0.0.2:8080') : 'such as 100.64.0.9:80',
      undefined,
    ),
    isProxied,
    web: hasPage ? web : undefined,
    port: value('CULVERT_RECORDER_PORT', parsePort, 'a port', 0),
    keepMs: value('CULVERT_RECORDER_KEEP', parseKeep, 'a time such as 90d or 12h', Infinity),
    maxBytes: size('CULVERT_RECORDER_MAX_SIZE'),
    maxSessionBytes: size('CULVERT_RECORDER_MAX_SESSION_SIZE'),
    drainMs: value('CULVERT_RECORDER_DRAIN', parseDrain, 'a duration such as 20s, up to 24h,', 0),
  }
  if (settings.listen === undefined || problems.length > 0)
    throw new CulvertError('settings', problems.join('; '), { remedy: 'Correct the environment of the recorder.' })
  return { ...settings, listen: settings.listen }
}

function parseListen(text: string, isProxied: boolean): AddressPort | undefined {
  const listen = parseAddressPort(text)
  const address = listen && parseAddress(listen.host)
  if (address === undefined) return undefined
  const isOurs = isLoopback(address) && !['127.0.0.1', '::1'].includes(address.text)
  return isProxied && !isOurs ? undefined : listen
}

function parsePort(text: string): number | undefined {
  const port = Number(text)
  return Number.isInteger(port) && port >= 0 && port <= 65_535 ? port : undefined
}

function parseDrain(text: string): number | undefined {
  const ms = parseDuration(text)
  return ms !== undefined && ms >= 0 && ms <= 86_400_000 ? ms : undefined
}

/** Those that are only for S3. Others of AWS may be there for everything in a Pod. */
const ofS3 = new Set<string>(s3Variables.map(({ name }) => name).filter((name) => !name.startsWith('AWS_')))

/** Variables without an effect that were probably meant to have one, with what to do instead. */
export function strayVariables(env: Environment): string[] {
  const known = new Set<string>(allVariables.map(({ name }) => name))
  const isS3 = env['TSRECORDER_DST']?.trim().startsWith('s3:') === true
  return Object.entries(env).flatMap(([name, value]) => {
    if (!value) return []
    if (ofTheNode.has(name) && name.startsWith('TSRECORDER_'))
      return [`${name} has no effect: tailscaled, or the agent beside the recorder, is the node of the tailnet`]
    if (!isS3 && ofS3.has(name)) return [`${name} has no effect: TSRECORDER_DST is a directory, and not s3://…`]
    if (!/^(?:CULVERT_RECORDER|TSRECORDER)_/.test(name) || known.has(name)) return []
    const similar = nearest(name, known, 4)
    return [`${name} is no setting of the recorder${similar === undefined ? '' : `; did you mean ${similar}?`}`]
  })
}
