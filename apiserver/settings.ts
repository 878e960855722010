import { type AddressPort, parseAddress, parseAddressPort } from '../lib/address.ts'
import { CulvertError } from '../lib/errors.ts'
import { type LogSettings, logVariables, readLogSettings, wrongLogSettings } from '../lib/log-settings.ts'
import { parseBool, parseDuration } from '../lib/go-values.ts'
import { nearest } from '../lib/nearest.ts'
import { quote } from '../lib/quote.ts'
import type { InCluster } from '../kube/service-account.ts'
import type { ApiProxyMode } from '../wire/api-proxy-config.ts'
import { isLoopback } from '../lib/proxy-header.ts'

/** An environment variable of the proxy. */
type Variable = { readonly name: string; readonly default?: string; readonly effect: string }

/** All variables that the proxy knows; what the effect says is Markdown for users. */
export const variables = [
  {
    name: 'APISERVER_PROXY',
    effect:
      'Whom the API server sees: `true` or `auth`, the caller, whom the proxy impersonates; `noauth`, whoever the caller’s own credentials say. Without it, `TS_K8S_PROXY_CONFIG` says so',
  },
  {
    name: 'TS_K8S_PROXY_CONFIG',
    effect:
      'A mounted config document with mode and Tailscale Service, instead of `APISERVER_PROXY`; changes apply at once',
  },
  { name: 'TS_SOCKET', default: '/tmp/tailscaled.sock', effect: 'Socket of tailscaled’s LocalAPI' },
  {
    name: 'CULVERT_APISERVER_LISTEN',
    default: '127.0.0.2:8443',
    effect:
      'Where tailscaled connects to, with a PROXY header of version 2. An address of 127.0.0.0/8, but not 127.0.0.1, where the tailnet and `kubectl port-forward` could get to, with a header of their own',
  },
  {
    name: 'CULVERT_APISERVER_TLS',
    default: 'true',
    effect:
      'Whether the proxy ends TLS, with tailscaled’s certificate. With `false`, tailscaled does (`TerminateTLS`), without HTTP/2',
  },
  { name: 'CULVERT_APISERVER_PORT', default: '9003', effect: 'Port of `/livez`, `/readyz` and `/metrics`' },
  {
    name: 'CULVERT_APISERVER_DRAIN',
    default: '20s',
    effect: 'How long open requests may go on after SIGTERM, up to 10m',
  },
  {
    name: 'CULVERT_APISERVER_PEER_LIMIT',
    default: '1000',
    effect:
      'How many requests, watches and sessions counted, one address of the tailnet may have open; the same for its connections',
  },
  { name: 'POD_NAME', effect: 'The Pod’s name, for Events about refusals; without it there are none' },
  { name: 'POD_UID', effect: 'The Pod’s UID, for the same' },
  ...logVariables,
  { name: 'KUBERNETES_SERVICE_HOST', effect: 'The API server; set by kubelet' },
  { name: 'KUBERNETES_SERVICE_PORT_HTTPS', default: '443', effect: 'Its port; set by kubelet' },
  { name: 'TS_TEST_ONLY_ROOT', effect: 'For tests only: prefix of system paths' },
] as const satisfies readonly Variable[]

type Name = (typeof variables)[number]['name']

const defaults = new Map<string, string>(
  variables.flatMap((one) => ('default' in one ? [[one.name, one.default] as const] : [])),
)

export type Settings = {
  /** The mode, or the path of the document that has it. */
  readonly config: { readonly mode: ApiProxyMode } | { readonly path: string }
  readonly socket: string
  readonly listen: AddressPort
  readonly tls: boolean
  readonly port: number
  readonly drainMs: number
  readonly peerLimit: number
  readonly pod: { readonly name: string; readonly uid: string }
  readonly cluster: InCluster
}

export type Environment = Readonly<Record<string, string | undefined>>

/** How to log, before anything else is read. */
export const logSettings = (env: Environment): LogSettings => readLogSettings((name) => env[name]?.trim())

/**
 * Reads and checks the proxy's environment.
 * @throws CulvertError `settings` that names all problems at once
 */
export function readSettings(env: Environment): Settings {
  const problems: string[] = []
  const text = (name: Name): string => env[name]?.trim() || (defaults.get(name) ?? '')
  const value = <T>(name: Name, found: T | undefined, accepted: string): T | undefined => {
    if (found === undefined) problems.push(`${name}=${quote(text(name), 200)} is not valid: ${accepted} is accepted`)
    return found
  }
  for (const { name, accepted } of wrongLogSettings(text)) value(name, undefined, accepted)
  const port = Number(text('CULVERT_APISERVER_PORT'))
  const isPort = Number.isInteger(port) && port >= 0 && port <= 65_535
  const peerLimit = Number(text('CULVERT_APISERVER_PEER_LIMIT'))
  const isLimit = Number.isInteger(peerLimit) && peerLimit > 0
  const drainMs = parseDuration(text('CULVERT_APISERVER_DRAIN')) ?? -1
  const isDrain = drainMs >= 0 && drainMs <= 600_000
  const read = {
    config: readConfig(text, problems),
    socket: text('TS_SOCKET'),
    listen: value(
      'CULVERT_APISERVER_LISTEN',
      readListen(text('CULVERT_APISERVER_LISTEN')),
      'such as 127.0.0.2:8443, but not 127.0.0.1,',
    ),
    tls: value('CULVERT_APISERVER_TLS', parseBool(text('CULVERT_APISERVER_TLS')), 'true or false'),
    port: value('CULVERT_APISERVER_PORT', isPort ? port : undefined, 'a port'),
    drainMs: value('CULVERT_APISERVER_DRAIN', isDrain ? drainMs : undefined, 'a duration such as 20s, up to 10m,'),
    peerLimit: value('CULVERT_APISERVER_PEER_LIMIT', isLimit ? peerLimit : undefined, 'a number, at least 1,'),
    pod: { name: text('POD_NAME'), uid: text('POD_UID') },
    cluster: {
      root: text('TS_TEST_ONLY_ROOT'),
      host: text('KUBERNETES_SERVICE_HOST'),
      port: text('KUBERNETES_SERVICE_PORT_HTTPS'),
      addressFromEnv: text('KUBERNETES_SERVICE_HOST') !== '',
    },
  }
  const { config, listen, tls } = read
  if (config === undefined || listen === undefined || tls === undefined || problems.length > 0)
    throw new CulvertError('settings', problems.join('; '), { remedy: 'Correct the environment of the proxy.' })
  return { ...read, config, listen, tls, port, drainMs, peerLimit }
}

function readConfig(text: (name: Name) => string, problems: string[]): Settings['config'] | undefined {
  const [mode, path] = [text('APISERVER_PROXY'), text('TS_K8S_PROXY_CONFIG')]
  if ((mode === '') === (path === '')) {
    problems.push('one of APISERVER_PROXY and TS_K8S_PROXY_CONFIG must say what the proxy is to do, and not both')
    return undefined
  }
  if (path.startsWith('kube:')) problems.push('TS_K8S_PROXY_CONFIG must be a path: have the Secret mounted')
  if (path !== '') return { path }
  if (mode === 'noauth') return { mode }
  // As the operator of Tailscale spells it.
  if (mode === 'auth' || parseBool(mode) === true) return { mode: 'auth' }
  problems.push(`APISERVER_PROXY=${quote(mode, 200)} is not valid: true, auth or noauth is accepted`)
  return undefined
}

function readListen(text: string): AddressPort | undefined {
  const listen = parseAddressPort(text)
  const address = listen && parseAddress(listen.host)
  const isGood = address !== undefined && isLoopback(address) && !['127.0.0.1', '::1'].includes(address.text)
  return isGood ? listen : undefined
}

/** Variables that have no effect, and that were probably meant to have one. */
export function strayVariables(env: Environment): string[] {
  const known = new Set<string>(variables.map(({ name }) => name))
  return Object.keys(env)
    .filter((name) => name.startsWith('CULVERT_APISERVER_') && !known.has(name))
    .map((name) => {
      const similar = nearest(name, known, 4)
      return `${name} is no setting of the proxy${similar === undefined ? '' : `; did you mean ${similar}?`}`
    })
}
