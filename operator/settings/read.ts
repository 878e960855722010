import { CulvertError } from '../../lib/errors.ts'
import { parseBool, parseDuration } from '../../lib/go-values.ts'
import { nearest } from '../../lib/nearest.ts'
import { type LogSettings, readLogSettings, wrongLogSettings } from '../../lib/log-settings.ts'
import { quote } from '../../lib/quote.ts'
import type { ElectionTimes } from '../../kube/controller/election/candidate.ts'
import type { CredentialFiles } from '../api/credentials.ts'
import { readHostname, readNames, readTags } from '../objects/texts.ts'
import { clusterDomain } from './cluster-domain.ts'
import type { ApiServerProxy, OperatorSettings, ProcessSettings } from './settings.ts'
import { type VariableName, variables } from './variables.ts'

/** What the settings are made from. */
export type Given = {
  readonly env: Readonly<Record<string, string | undefined>>
  /** The text of the Pod's `/etc/resolv.conf`; empty if there is none. */
  readonly resolvConf: string
  /** The namespace of the Pod's service account; undefined outside of a cluster. */
  readonly podNamespace: string | undefined
  /** Of the operator. */
  readonly version: string
}

export type Read = {
  readonly settings: OperatorSettings
  readonly process: ProcessSettings
  readonly warnings: readonly string[]
}

/** Where the chart of Tailscale's operator mounts the token of workload identity. */
const tokenFile = '/var/run/secrets/tailscale/serviceaccount/token'

const defaults = new Map<string, string>(
  variables.flatMap((one) => ('default' in one ? [[one.name, one.default] as const] : [])),
)

/** How to log, before anything else is read. */
export const logSettings = (env: Given['env']): LogSettings =>
  readLogSettings(
    (name) => env[name]?.trim(),
    /^(?:debug|dev)$/.test(env['OPERATOR_LOGGING']?.trim() ?? '') ? 'debug' : 'info',
  )

/**
 * Reads and checks the operator's environment.
 * @throws CulvertError `settings` that names all problems at once
 */
export function readOperatorSettings({ env, resolvConf, podNamespace, version }: Given): Read {
  const problems: string[] = []
  const text = (name: VariableName): string => env[name]?.trim() || (defaults.get(name) ?? '')
  const refuse = (name: VariableName, accepted: string): void => {
    problems.push(`${name}=${quote(text(name), 200)} is not valid: ${accepted}`)
  }
  const choice = <T extends string>(name: VariableName, ...accepted: readonly [T, ...T[]]): T => {
    const found = accepted.find((one) => one === text(name))
    if (found === undefined) refuse(name, `${accepted.join(', ')} are accepted`)
    return found ?? accepted[0]
  }
  const bool = (name: VariableName): boolean => {
    const value = parseBool(text(name))
    if (value === undefined) refuse(name, 'true or false is accepted')
    return value === true
  }
  const number = (name: VariableName, most: number, what: string): number => {
    const value = Number(text(name))
    if (Number.isInteger(value) && value >= 1 && value <= most) return value
    refuse(name, `${what} from 1 to ${most} is accepted`)
    return 1
  }
  const loginServer = text('OPERATOR_LOGIN_SERVER').replace(/\/+$/, '')
  if (!/^https?:$/.test(URL.parse(loginServer)?.protocol ?? ''))
    refuse('OPERATOR_LOGIN_SERVER', 'a URL that begins with https:// is accepted')
  const proxyTags = readTags(text('PROXY_TAGS'))
  if (proxyTags === undefined) refuse('PROXY_TAGS', tagsAccepted)
  const port = number('CULVERT_OPERATOR_PORT', 65_535, 'a port')
  const namespace = text('OPERATOR_NAMESPACE') || (podNamespace ?? '')
  if (namespace === '')
    problems.push('OPERATOR_NAMESPACE is not set, and there is no service account that would tell the namespace')
  const named = readNames(text('CULVERT_NAMESPACES'))
  if (named === undefined) refuse('CULVERT_NAMESPACES', 'names of namespaces, separated by commas, are accepted')
  const only = named === '*' ? [] : (named ?? [])
  const agent = choice('CULVERT_AGENT', 'culvert', 'upstream')
  const settings: OperatorSettings = {
    namespace,
    namespaces: only.length === 0 ? [] : [...new Set([namespace, ...only])],
    clusterDomain: clusterDomain(resolvConf),
    loginServer,
    ingressClass: text('OPERATOR_INGRESS_CLASS_NAME'),
    isDefaultLoadBalancer: bool('OPERATOR_DEFAULT_LOAD_BALANCER'),
    proxyImage:
      text('PROXY_IMAGE') || (agent === 'culvert' ? `culvert/agent:${version}` : 'tailscale/tailscale:latest'),
    apiServerImage: text('K8S_PROXY_IMAGE') || `culvert/apiserver:${version}`,
    apiServerProxy: readApiServerProxy(text, refuse),
    recorderImage: text('CULVERT_RECORDER_IMAGE') || `culvert/recorder:${version}`,
    agent,
    proxyTags: proxyTags ?? [],
    firewallMode: text('PROXY_FIREWALL_MODE') && choice('PROXY_FIREWALL_MODE', 'auto', 'nftables', 'iptables'),
    priorityClass: text('PROXY_PRIORITY_CLASS_NAME'),
    defaultProxyClass: text('PROXY_DEFAULT_CLASS'),
    operatorId: text('CULVERT_OPERATOR_ID'),
    operatorSecret: text('OPERATOR_SECRET'),
    sharesAcmeAccount: bool('OPERATOR_SHARED_ACME_ACCOUNT_KEY'),
    concurrency: number('CULVERT_CONCURRENCY', 100, 'a number'),
    shards: number('CULVERT_SHARDS', mostShards, 'a number'),
  }
  const election = readElection(text, refuse)
  choice('OPERATOR_LOGGING', 'info', 'debug', 'dev')
  for (const { name, accepted } of wrongLogSettings(text)) refuse(name, `${accepted} is accepted`)
  const credentials = readCredentials(text, problems)
  if (credentials === undefined || problems.length > 0)
    throw new CulvertError('settings', problems.join('; '), { remedy: 'Correct the environment of the operator.' })
  return {
    settings,
    process: { port, isVerbose: logSettings(env).level === 'debug', election, credentials },
    warnings: warningsOf(env),
  }
}

/** Each has a Lease, which every replica follows. */
const mostShards = 16

const tagsAccepted = 'tags such as tag:k8s, separated by commas, are accepted'

/** Name and tags count only where there is a proxy that has them. */
function readApiServerProxy(
  text: (name: VariableName) => string,
  refuse: (name: VariableName, accepted: string) => void,
): ApiServerProxy | undefined {
  const asked = text('APISERVER_PROXY')
  if (parseBool(asked) === false) return undefined
  const mode = asked === 'noauth' ? asked : asked === 'auth' || parseBool(asked) === true ? 'auth' : undefined
  const hostname = readHostname(text('OPERATOR_HOSTNAME'))
  const tags = readTags(text('OPERATOR_INITIAL_TAGS'))
  if (mode === undefined) refuse('APISERVER_PROXY', 'true, noauth or false is accepted')
  if (hostname === undefined)
    refuse('OPERATOR_HOSTNAME', 'letters, digits and hyphens between them, 63 at most, are accepted')
  if (tags === undefined) refuse('OPERATOR_INITIAL_TAGS', tagsAccepted)
  return mode === undefined || hostname === undefined || tags === undefined ? undefined : { mode, hostname, tags }
}

/** The margin and the time between renewals are needed: without them, two could write at once, or none for long. */
function readElection(
  text: (name: VariableName) => string,
  refuse: (name: VariableName, accepted: string) => void,
): ElectionTimes {
  const ms = (name: VariableName, accepted: string, isGood: (ms: number) => boolean): number => {
    const value = parseDuration(text(name)) ?? 0
    if (!isGood(value)) refuse(name, `${accepted} is accepted`)
    return value
  }
  const whole = 'a duration of whole seconds such as 15s, from 2s to 10m,'
  const isWhole = (value: number): boolean => value % 1000 === 0 && value >= 2000 && value <= 600_000
  const lease = ms('CULVERT_LEASE_DURATION', whole, isWhole)
  const shorter = 'a duration that is at least a second shorter than CULVERT_LEASE_DURATION'
  const deadline = ms('CULVERT_LEASE_RENEW_DEADLINE', shorter, (value) => value > 0 && value <= lease - 1000)
  const half = 'a duration from 100ms to half of CULVERT_LEASE_RENEW_DEADLINE'
  const retry = ms('CULVERT_LEASE_RETRY_PERIOD', half, (value) => value >= 100 && value <= deadline / 2)
  return { lease, deadline, retry }
}

function readCredentials(text: (name: VariableName) => string, problems: string[]): CredentialFiles | undefined {
  const [clientId, idFile, secretFile] = [text('CLIENT_ID'), text('CLIENT_ID_FILE'), text('CLIENT_SECRET_FILE')]
  if (clientId !== '') return { type: 'workload-identity', clientId, tokenFile }
  if (idFile !== '' && secretFile !== '') return { type: 'oauth-client', idFile, secretFile }
  const both = 'CLIENT_ID_FILE and CLIENT_SECRET_FILE name the files of an OAuth client, or CLIENT_ID names an identity'
  problems.push(`there are no credentials for Tailscale’s API: ${both}`)
  return undefined
}

/** Variables that have no effect, and that were probably meant to have one. */
function warningsOf(env: Given['env']): string[] {
  const known = new Map(variables.map((one) => [one.name as string, one]))
  return Object.entries(env).flatMap(([name, value]) => {
    if (!value) return []
    const variable = known.get(name)
    if (variable !== undefined)
      return 'ignored' in variable && parseBool(value) !== false ? [`${name} has no effect: ${variable.ignored}`] : []
    if (!/^(?:CULVERT|OPERATOR|PROXY)_/.test(name)) return []
    const similar = nearest(name, known.keys(), 4)
    return [`${name} is no setting of the operator${similar === undefined ? '' : `; did you mean ${similar}?`}`]
  })
}
