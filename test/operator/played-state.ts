import { createHash } from 'node:crypto'

/**
 * What goes wrong in a Pod: it never becomes ready, its auth key is refused, its tailnet has no certificates, or, in a
 * group, nothing is forwarded.
 */
export type Fault = 'never-ready' | 'key-refused' | 'no-https' | 'not-forwarding'

/** A node that has joined. */
export type Joined = {
  readonly id: string
  readonly fqdn: string
  readonly addresses: readonly string[]
  /** The private one. */
  readonly machineKey: string
}

/** A private machine key, which is always the same for the same text. */
export const machineKeyFor = (text: string): string => `privkey:${createHash('sha256').update(text).digest('hex')}`

/** The texts of a Secret. */
export type Texts = Readonly<Record<string, string | undefined>>

/** Keys of a Secret that the agent sets; null: deletes. */
export type Change = Readonly<Record<string, string | null>>

/**
 * What the agent does next: `join` the tailnet with a key, after having written `change`; `wait` for a config or a key;
 * or `run`, forwarding.
 */
export type Step =
  | { readonly change: Change; readonly does: 'join'; readonly hostname: string; readonly authKey: string }
  | { readonly change: Change; readonly does: 'wait' | 'run' }

/** As tailscaled 1.102. */
const capabilityVersion = 142
const forgotten = { device_id: null, device_fqdn: null, device_ips: null, _machinekey: null, '_current-profile': null }

/** What agents remove when they start. */
const ofEarlierRun = { https_endpoint: null, 'egress-services': null, 'ingress-config.json': null }

/** The next step of the agent in a Pod, which finds `texts` in its Secret. */
export function stepOf(texts: Texts, podUid: string, fault: Fault | undefined): Step {
  const config = configOf(texts)
  if (config === undefined) return { change: {}, does: 'wait' }
  const { AuthKey: authKey = '', Hostname: hostname = '' } = config
  const asked = texts['reissue_authkey']
  const hasNewKey = authKey !== '' && authKey !== asked
  const started: Change =
    texts['pod_uid'] === podUid ? {} : { pod_uid: podUid, tailscale_capver: String(capabilityVersion), ...ofEarlierRun }
  const answered: Change = asked !== undefined && hasNewKey ? { reissue_authkey: null, ...forgotten } : {}
  const change = { ...started, ...answered }
  if (asked !== undefined && !hasNewKey) return { change, does: 'wait' }
  const isRefused = fault === 'key-refused' && asked === undefined
  const kept = asked === undefined && !isRefused ? keptIn(texts) : undefined
  const isJoined = texts['device_id'] !== undefined && asked === undefined
  if (!isJoined && kept !== undefined) return { change: { ...change, ...kept }, does: 'run' }
  if (isRefused || (!isJoined && authKey === ''))
    return { change: { ...change, reissue_authkey: authKey }, does: 'wait' }
  if (!isJoined) return { change, does: 'join', hostname, authKey }
  const served = texts['serve-config'] === undefined ? null : fault === 'no-https' ? 'no-https' : texts['device_fqdn']
  const endpoint = served?.replace(/\.$/, '') ?? null
  const isServed =
    (started['https_endpoint'] === null ? undefined : texts['https_endpoint']) === (endpoint ?? undefined)
  return { change: isServed ? change : { ...change, https_endpoint: endpoint }, does: 'run' }
}

/** What agent and tailscaled write when the node has joined and traffic is forwarded. */
export const joined = ({ id, fqdn, addresses, machineKey }: Joined): Change => ({
  device_id: id,
  device_fqdn: `${fqdn}.`,
  device_ips: JSON.stringify(addresses),
  _machinekey: machineKey,
  _profiles: '{}',
  '_current-profile': 'profile-0001',
  'profile-0001': JSON.stringify({ Config: { NodeID: id, UserProfile: { LoginName: fqdn } }, addresses }),
})

/** What tailscaled writes of that, without what agents do. */
export const onlyState = ({ device_id: _id, device_fqdn: _fqdn, device_ips: _ips, ...state }: Change): Change => state

/** What the agent says of a node that has joined with another program, which has left only its state. */
function keptIn(texts: Texts): Change | undefined {
  const text = texts[texts['_current-profile'] ?? '']
  if (text === undefined) return undefined
  const { Config, addresses } = JSON.parse(text) as {
    readonly Config: { readonly NodeID: string; readonly UserProfile: { readonly LoginName: string } }
    readonly addresses: readonly string[]
  }
  const { NodeID: id, UserProfile } = Config
  return { device_id: id, device_fqdn: `${UserProfile.LoginName}.`, device_ips: JSON.stringify(addresses) }
}

type Config = { readonly AuthKey?: string; readonly Hostname?: string }

/** The config of an API server proxy of Tailscale's operator, which has one document for everything. */
export const apiServerConfig = 'config.hujson'

/** The config for the highest version that this agent's tailscaled knows. */
function configOf(texts: Texts): Config | undefined {
  const versions = Object.keys(texts).flatMap((name) => /^cap-(\d+)\.hujson$/.exec(name)?.[1] ?? [])
  const usable = versions.map(Number).filter((version) => version <= capabilityVersion)
  if (usable.length === 0) {
    const text = texts[apiServerConfig]
    return text === undefined ? undefined : (JSON.parse(text) as Config)
  }
  return JSON.parse(texts[`cap-${Math.max(...usable)}.hujson`] ?? '') as Config
}
