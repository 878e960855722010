import { type Address, families, type Family, familyName, parseAddress, parseAddressPort } from '../../lib/address.ts'
import { CulvertError } from '../../lib/errors.ts'
import { parseBool, parseDuration } from '../../lib/go-values.ts'
import { takeAcceptDns } from './accept-dns.ts'
import type { Settings } from './settings.ts'
import { isInKubernetes, readState } from './state.ts'
import { type Variable, type VariableName, variables } from './variables.ts'

export type Environment = Readonly<Record<string, string | undefined>>

const byName = new Map<string, Variable>(variables.map((variable) => [variable.name, variable]))

function refuse(name: VariableName, value: string, accepted: string): never {
  throw new CulvertError('settings', `${name}=${JSON.stringify(value)} is not valid: ${accepted}`)
}

/**
 * Reads and validates the environment in the order of agent.md §1; the first failure wins.
 * @throws CulvertError `settings`, naming variable, value and what is accepted. Secrets are never in the message.
 */
export function readSettings(env: Environment): { readonly settings: Settings; readonly warnings: readonly string[] } {
  const text = (name: VariableName): string => env[name] || (byName.get(name)?.default ?? '')
  // Any other spelling silently is the default: manifests rely on it.
  const bool = (name: VariableName): boolean =>
    parseBool(env[name] ?? '') ?? parseBool(byName.get(name)?.default ?? '') ?? false
  const words = (name: VariableName): string[] =>
    text(name)
      .split(/\s+/)
      .filter((word) => word !== '')

  const pod = readPodAddresses(env['POD_IPS'])
  refuseUnavailable(env, bool)
  const { acceptDns, extraArgs, warnings } = takeAcceptDns(words('TS_EXTRA_ARGS'), bool('TS_ACCEPT_DNS'))
  const userspace = bool('TS_USERSPACE')
  const targets = readTargets(text('TS_DEST_IP'))
  const configDirectory = env['TS_EXPERIMENTAL_VERSIONED_CONFIG_DIR'] || undefined
  if (userspace && targets.length > 0) {
    throw new CulvertError(
      'settings',
      `TS_DEST_IP=${text('TS_DEST_IP')} is not supported with TS_USERSPACE=${env['TS_USERSPACE'] || 'true (the default)'}: ` +
        'set TS_USERSPACE=false, or unset TS_DEST_IP',
    )
  }
  if (configDirectory !== undefined) refuseBesideConfig(env)
  const up = {
    authKey: env['TS_AUTHKEY'] || env['TS_AUTH_KEY'] || '',
    clientId: text('TS_CLIENT_ID'),
    clientSecret: text('TS_CLIENT_SECRET'),
    idToken: text('TS_ID_TOKEN'),
    audience: text('TS_AUDIENCE'),
    hostname: text('TS_HOSTNAME'),
    routes: env['TS_ROUTES'],
    acceptDns,
    extraArgs,
  }
  checkLogin(up)
  const health = bool('TS_ENABLE_HEALTH_CHECK')
  const localAddress = bracketIPv6(text('TS_LOCAL_ADDR_PORT'), pod.ipv6)
  const listen = parseAddressPort(localAddress)
  const addressPort = 'an IP address literal and a port such as 10.0.0.1:9002 or [::]:9002 is accepted'
  if (listen === undefined && health) refuse('TS_LOCAL_ADDR_PORT', localAddress, addressPort)
  const debugAddress = text('TS_DEBUG_ADDR_PORT')
  if (debugAddress !== '' && !parseAddressPort(debugAddress)) refuse('TS_DEBUG_ADDR_PORT', debugAddress, addressPort)
  const bootTimeoutMs = parseDuration(text('TS_BOOT_TIMEOUT'))
  if (bootTimeoutMs === undefined || bootTimeoutMs <= 0) {
    refuse(
      'TS_BOOT_TIMEOUT',
      text('TS_BOOT_TIMEOUT'),
      'a positive duration with a unit such as 60s or 1m30s is accepted',
    )
  }
  const root = text('TS_TEST_ONLY_ROOT')
  const routeFamilies = userspace ? [] : readRouteFamilies(env['TS_ROUTES'] ?? '')
  const settings: Settings = {
    root,
    userspace,
    state: readState(env),
    socket: text('TS_SOCKET'),
    socks5Server: text('TS_SOCKS5_SERVER'),
    httpProxyListen: text('TS_OUTBOUND_HTTP_PROXY_LISTEN'),
    debugAddress,
    tailscaledExtraArgs: words('TS_TAILSCALED_EXTRA_ARGS'),
    up,
    authOnce: bool('TS_AUTH_ONCE'),
    configDirectory,
    targets,
    forwardedFamilies: families.filter(
      (family) => routeFamilies.includes(family) || targets.some((target) => target.family === family),
    ),
    bootTimeoutMs,
    health,
    listen: listen ?? { text: '[::]:9002', host: '::', family: 6, port: 9002 },
    pod: { ...pod, uid: text('POD_UID') },
    inKubernetes: isInKubernetes(env),
    cluster: {
      root,
      host: text('KUBERNETES_SERVICE_HOST'),
      port: text('KUBERNETES_SERVICE_PORT_HTTPS'),
      addressFromEnv: root !== '' || env['TS_KUBERNETES_READ_API_SERVER_ADDRESS_FROM_ENV'] === 'true',
    },
    firewallMode: readFirewallMode(text('TS_DEBUG_FIREWALL_MODE'), targets.length > 0),
    fakeNetfilter: bool('TS_TEST_FAKE_NETFILTER') ? fakeNetfilter(root, bool('TS_TEST_FAKE_NETFILTER_6')) : undefined,
    statusSocket: env['CULVERT_SOCKET'] || `${root}${text('CULVERT_SOCKET')}`,
    terminationLog: terminationLogPath(env),
    shortWaits: bool('CULVERT_TEST_SHORT_WAITS'),
  }
  return { settings, warnings }
}

/** Known before validation, so that its failures can be left there too. */
export const terminationLogPath = (env: Environment): string =>
  env['CULVERT_TERMINATION_LOG'] || `${env['TS_TEST_ONLY_ROOT'] ?? ''}/dev/termination-log`

function readPodAddresses(value: string | undefined): { ipv4: string; ipv6: string } {
  const pod = { ipv4: '', ipv6: '' }
  if (value === undefined) return pod
  const parts = value.split(',')
  const addresses = parts.map(parseAddress)
  if (parts.length > 2 || addresses.includes(undefined)) {
    refuse('POD_IPS', value, 'one or two IP addresses, separated by a comma without spaces, are accepted')
  }
  for (const address of addresses) {
    if (address !== undefined) pod[address.family === 4 ? 'ipv4' : 'ipv6'] = address.text
  }
  return pod
}

function refuseUnavailable(env: Environment, bool: (name: VariableName) => boolean): void {
  for (const variable of variables as readonly (Variable & { name: VariableName })[]) {
    if (variable.unavailable !== true) continue
    const value = env[variable.name]
    const present = value !== undefined && (value !== '' || variable.presence === true)
    const wanted = variable.type === 'boolean' ? bool(variable.name) : present
    if (!wanted) continue
    throw new CulvertError(
      'settings',
      `${variable.name} is set, but this version of Culvert does not have what it asks for: ${variable.effect}`,
    )
  }
}

function readTargets(value: string): readonly Address[] {
  if (value === '') return []
  const accepted = 'an IP address, or one IPv4 and one IPv6 address separated by a comma, is accepted'
  const targets: Address[] = []
  for (const part of value.split(',')) {
    const address = parseAddress(part.trim())
    if (address === undefined)
      refuse('TS_DEST_IP', value, `${JSON.stringify(part.trim())} is no IP address; ${accepted}`)
    if (targets.some((target) => target.family === address.family)) {
      refuse('TS_DEST_IP', value, `it has two ${familyName(address.family)} addresses; ${accepted}`)
    }
    targets.push(address)
  }
  return targets
}

/**
 * The families of a list of routes in CIDR form, which kernel mode must forward.
 * @throws CulvertError `settings` naming the first entry that is no route.
 */
function readRouteFamilies(value: string): Family[] {
  if (value === '') return []
  return value.split(',').map((route) => {
    const [, address = '', bits = ''] = /^([^/]+)\/(\d{1,3})$/.exec(route) ?? []
    const parsed = parseAddress(address)
    if (parsed !== undefined && Number(bits) <= (parsed.family === 4 ? 32 : 128)) return parsed.family
    return refuse(
      'TS_ROUTES',
      value,
      `${JSON.stringify(route)} is no route; routes such as 10.0.0.0/8,fd00::/8, separated by commas without spaces, are accepted`,
    )
  })
}

/** What the config file says, no variable may say too (agent.md §1, row 4). */
function refuseBesideConfig(env: Environment): void {
  const acceptDns = parseBool(env['TS_ACCEPT_DNS'] ?? '') === undefined ? [] : ['TS_ACCEPT_DNS']
  const routes = env['TS_ROUTES'] === undefined ? [] : ['TS_ROUTES']
  const texts = ['TS_AUTHKEY', 'TS_AUTH_KEY', 'TS_EXTRA_ARGS', 'TS_HOSTNAME', ...oauthVariables]
  const both = [...acceptDns, ...routes, ...texts.filter((name) => (env[name] ?? '') !== '')]
  if (both.length === 0) return
  throw new CulvertError(
    'settings',
    `TS_EXPERIMENTAL_VERSIONED_CONFIG_DIR cannot be combined with ${both.join(', ')}: unset ${both.length === 1 ? 'it' : 'them'}, and say it in the config file`,
  )
}

const oauthVariables = ['TS_CLIENT_ID', 'TS_CLIENT_SECRET', 'TS_ID_TOKEN', 'TS_AUDIENCE']

function checkLogin(up: Settings['up']): void {
  const fail = (message: string): never => {
    throw new CulvertError('settings', message)
  }
  if ((up.idToken !== '' || up.audience !== '') && up.clientId === '') {
    fail('TS_ID_TOKEN and TS_AUDIENCE need TS_CLIENT_ID')
  }
  if ([up.idToken, up.clientSecret, up.audience].filter((value) => value !== '').length > 1) {
    fail('TS_ID_TOKEN, TS_CLIENT_SECRET and TS_AUDIENCE exclude each other: set one of them')
  }
  if (up.authKey !== '' && [up.clientId, up.clientSecret, up.idToken, up.audience].some((value) => value !== '')) {
    fail('TS_AUTHKEY excludes TS_CLIENT_ID, TS_CLIENT_SECRET, TS_ID_TOKEN and TS_AUDIENCE: set one way to log in')
  }
}

/** A manifest's `$(POD_IP):9002` lacks brackets on an IPv6 Pod (agent.md §1, "IPv6 repair"). */
function bracketIPv6(value: string, podIPv6: string): string {
  if (podIPv6 === '' || value.includes('[')) return value
  const colon = value.lastIndexOf(':')
  const host = parseAddress(value.slice(0, colon))
  return host?.text === podIPv6 ? `[${value.slice(0, colon)}]${value.slice(colon)}` : value
}

function readFirewallMode(value: string, needed: boolean): Settings['firewallMode'] {
  if (!needed || value === '' || value === 'auto') return 'auto'
  if (value === 'nftables' || value === 'iptables') return value
  return refuse('TS_DEBUG_FIREWALL_MODE', value, 'auto, nftables and iptables are accepted')
}

/** Without rules in the kernel a real proxy would look ready and carry nothing. */
function fakeNetfilter(root: string, ipv6: boolean): Settings['fakeNetfilter'] {
  if (root !== '') return { ipv6 }
  throw new CulvertError('settings', 'TS_TEST_FAKE_NETFILTER is for tests, and needs TS_TEST_ONLY_ROOT: unset it')
}
