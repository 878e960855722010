import { families, parseAddressPort } from '../../lib/address.ts'
import type { CulvertError } from '../../lib/errors.ts'
import { parseDuration } from '../../lib/go-values.ts'
import { quote } from '../../lib/quote.ts'
import { takeAcceptDns } from './accept-dns.ts'
import { readDestPorts, readProxyProtocol } from './dest-ports.ts'
import { readExempt, readTailnetTarget, readViaIngress } from './egress.ts'
import { type Environment, envReader, type EnvReader } from './env-reader.ts'
import { badLoginServer } from './login-server.ts'
import { oddValues } from './odd-values.ts'
import { readPod } from './pod.ts'
import { rules, wantsListener } from './rules.ts'
import { readServe } from './serve.ts'
import type { Endpoints, Settings, UpSettings } from './settings.ts'
import { isInKubernetes, readCluster, readState, stateWarnings } from './state.ts'
import { strayNames } from './stray-names.ts'
import { advertisedFamilies, readRouteFamilies, readTargets } from './targets.ts'
import { readTunnelDevice, tunWarnings } from './tun.ts'
import { readUdpGso } from './udp-gso.ts'

export type { Environment } from './env-reader.ts'

/** Warnings about the environment; also for one that is refused, since they may say why. */
export const environmentWarnings = (environment: Environment): readonly string[] => [
  ...oddValues(environment),
  ...strayNames(environment),
]

/**
 * Reads and validates the environment; the first failure wins. `badConfig` says why the
 * config file cannot be used, and is one of these failures.
 * @throws CulvertError `settings` naming variable, value and what is accepted. Messages never contain secrets.
 */
export function readSettings(
  environment: Environment,
  badConfig?: CulvertError,
): { readonly settings: Settings; readonly warnings: readonly string[] } {
  const env = envReader(environment)
  const { raw, text, bool, words } = env
  const { pod, warnings: podWarnings } = readPod(env)
  if (badConfig !== undefined) throw badConfig
  for (const { check } of rules) check(env)

  const { up, warnings: upWarnings } = readUp(env)
  const { endpoints, warnings: endpointWarnings } = readEndpoints(env)
  const { serve, warnings: serveWarnings } = readServe(env)
  const root = text('TS_TEST_ONLY_ROOT')
  const userspace = bool('TS_USERSPACE')
  const configDirectory = text('TS_EXPERIMENTAL_VERSIONED_CONFIG_DIR') || undefined
  const { targets, targetName, warnings: targetWarnings } = readTargets(env)
  const tailnetTarget = readTailnetTarget(env)
  const viaIngress = readViaIngress(env)
  const catchesAll = tailnetTarget !== undefined || viaIngress.length > 0
  const { exempt, env: portEnv, warnings: portWarnings } = readExempt(env)
  const egressServicesDirectory = text('TS_EGRESS_PROXIES_CONFIG_PATH') || undefined
  const ingressServicesFile = text('TS_INGRESS_PROXIES_CONFIG_PATH') || undefined
  const groups = egressServicesDirectory !== undefined || ingressServicesFile !== undefined
  const forwards = !userspace && (targets.length > 0 || targetName !== undefined || catchesAll || groups)
  const routeFamilies = userspace ? [] : readRouteFamilies(raw('TS_ROUTES') ?? '')
  const debugAddress = env.addressPort('TS_DEBUG_ADDR_PORT')
  const settings: Settings = {
    root,
    userspace,
    tunnelDevice: readTunnelDevice(env),
    state: readState(env),
    socket: text('TS_SOCKET'),
    socks5Server: text('TS_SOCKS5_SERVER'),
    httpProxyListen: text('TS_OUTBOUND_HTTP_PROXY_LISTEN'),
    debugAddress,
    // Operators repeat the address here.
    tailscaledExtraArgs: words('TS_TAILSCALED_EXTRA_ARGS').map((word) =>
      word === `--debug=${text('TS_DEBUG_ADDR_PORT')}` ? `--debug=${debugAddress}` : word,
    ),
    up,
    authOnce: bool('TS_AUTH_ONCE') && configDirectory === undefined,
    configDirectory,
    targets,
    targetName,
    targetPorts: readDestPorts(env),
    proxyProtocol: readProxyProtocol(env),
    tailnetTarget,
    viaIngress,
    // Otherwise tailscaled's own port is not fixed.
    exempt: catchesAll ? exempt : exempt.filter((key) => key.startsWith('tcp')),
    portEnv: catchesAll ? portEnv : {},
    egressServicesDirectory,
    ingressServicesFile,
    ...serve,
    forwardedFamilies: families.filter(
      (family) =>
        routeFamilies.includes(family) ||
        (!userspace && targets.some((target) => target.family === family)) ||
        (tailnetTarget?.kind === 'address' && tailnetTarget.address.family === family),
    ),
    advertisedFamilies: userspace ? [] : advertisedFamilies(up.extraArgs),
    forwardsAny: (targetName !== undefined && !userspace) || tailnetTarget?.kind === 'name' || groups,
    bootTimeoutMs: parseDuration(text('TS_BOOT_TIMEOUT')) ?? 0,
    endpoints,
    forwardingOptimizations: bool('TS_EXPERIMENTAL_ENABLE_FORWARDING_OPTIMIZATIONS'),
    pod,
    inKubernetes: isInKubernetes(env),
    cluster: readCluster(env),
    udpGso: readUdpGso(env),
    firewallMode: forwards ? readFirewallMode(env) : 'auto',
    fakeNetfilter: bool('TS_TEST_FAKE_NETFILTER') ? { ipv6: bool('TS_TEST_FAKE_NETFILTER_6') } : undefined,
    statusSocket: raw('CULVERT_SOCKET') || `${root}${text('CULVERT_SOCKET')}`,
    shortWaits: bool('CULVERT_TEST_SHORT_WAITS'),
  }
  return {
    settings,
    warnings: [
      ...podWarnings,
      ...targetWarnings,
      ...tunWarnings(env),
      ...firewallWarnings(env),
      ...stateWarnings(env),
      ...(catchesAll ? portWarnings : []),
      ...upWarnings,
      ...endpointWarnings,
      ...serveWarnings,
    ],
  }
}

/** Available before validation, so that validation failures can be written there too. */
export const terminationLogPath = (env: Environment): string =>
  env['CULVERT_TERMINATION_LOG'] || `${env['TS_TEST_ONLY_ROOT'] ?? ''}/dev/termination-log`

function readUp({ raw, text, bool, words }: EnvReader): { up: UpSettings; warnings: readonly string[] } {
  const { acceptDns, extraArgs, warnings } = takeAcceptDns(words('TS_EXTRA_ARGS'), bool('TS_ACCEPT_DNS'))
  const up = {
    authKey: text('TS_AUTHKEY') || text('TS_AUTH_KEY'),
    clientId: text('TS_CLIENT_ID'),
    clientSecret: text('TS_CLIENT_SECRET'),
    idToken: text('TS_ID_TOKEN'),
    audience: text('TS_AUDIENCE'),
    hostname: text('TS_HOSTNAME'),
    routes: raw('TS_ROUTES'),
    acceptDns,
    extraArgs,
  }
  const server = badLoginServer(extraArgs)
  return { up, warnings: server === undefined ? warnings : [...warnings, server] }
}

function readEndpoints(env: EnvReader): { endpoints: Endpoints; warnings: readonly string[] } {
  const healthListen = parseAddressPort(env.addressPort('TS_HEALTHCHECK_ADDR_PORT'))
  const endpoints = {
    listen: wantsListener(env) ? parseAddressPort(env.addressPort('TS_LOCAL_ADDR_PORT')) : undefined,
    health: env.bool('TS_ENABLE_HEALTH_CHECK'),
    metrics: env.bool('TS_ENABLE_METRICS'),
    healthListen,
  }
  const unused =
    'TS_LOCAL_ADDR_PORT is set, but nothing is served there: set TS_ENABLE_HEALTH_CHECK=true or TS_ENABLE_METRICS=true'
  const older = 'TS_HEALTHCHECK_ADDR_PORT is deprecated: use TS_ENABLE_HEALTH_CHECK=true with TS_LOCAL_ADDR_PORT'
  const warnings = [
    ...(endpoints.listen === undefined && (env.raw('TS_LOCAL_ADDR_PORT') ?? '') !== '' ? [unused] : []),
    ...(healthListen === undefined ? [] : [older]),
  ]
  return { endpoints, warnings }
}

/** An unknown value counts as unset, as for tailscaled. */
function readFirewallMode({ text }: EnvReader): Settings['firewallMode'] {
  const mode = text('TS_DEBUG_FIREWALL_MODE')
  return mode === 'nftables' || mode === 'iptables' ? mode : 'auto'
}

function firewallWarnings({ text }: EnvReader): string[] {
  const mode = text('TS_DEBUG_FIREWALL_MODE')
  if (['', 'auto', 'nftables', 'iptables'].includes(mode)) return []
  return [`TS_DEBUG_FIREWALL_MODE=${quote(mode)} is none of auto, nftables and iptables, and counts as unset`]
}
