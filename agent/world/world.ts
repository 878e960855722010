import type { CertificateReport } from '../../certs/report.ts'
import type { Family } from '../../lib/address.ts'
import type { BackendState, Self } from '../../localapi/notify.ts'
import type { ExtraRecord, Peers } from '../../localapi/peers.ts'
import type { CertificateMemory } from '../../wire/certificate-memory.ts'
import type { DeviceConfigContent } from '../../wire/device-config.ts'
import type { EgressServices } from '../../wire/egress-services.ts'
import type { IngressServices } from '../../wire/ingress-services.ts'
import type { ServeFile } from '../../wire/serve-file.ts'
import type { Backend } from '../../netfilter/backend.ts'
import type { RelayCounts } from '../../relay/counts.ts'
import type { Settings } from '../settings/settings.ts'
import type { Capability } from './capability.ts'
import { type Destination, unresolved } from './destination.ts'
import type { LocalNetwork } from './local-network.ts'
import type { Mounted } from './mounted.ts'
import type { Reports } from './reports.ts'

/**
 * Everything the agent knows, as one immutable value: reconcilers plan from it, and every view is made from it. Each
 * field has one writer (`Store.writer`).
 */
export type World = {
  /** The settings from the environment. */
  readonly settings: Settings
  /** Address families that the kernel supports in this network namespace. */
  readonly kernelFamilies: readonly Family[]
  /** The firewall with which the agent forwards; undefined if it does not. */
  readonly firewall: FirewallChoice | undefined
  /** The state of the name of L3 ingress; undefined if targets are set as addresses. */
  readonly destination: Destination | undefined
  readonly lifecycle: Lifecycle
  readonly daemon: Daemon
  readonly tailnet: Tailnet
  readonly capability: Capability
  /** Set while the agent waits for another auth key. */
  readonly reissue: Reissue | undefined
  /** The Pod's own network; undefined until it was read. */
  readonly network: LocalNetwork | undefined
  readonly mounted: MountedFiles
  /** tailscaled's config file; undefined unless in one-step mode. */
  readonly deviceConfig: DeviceConfigState | undefined
  /** Undefined where no state Secret is set. */
  readonly stateSecret: StateSecret | undefined
  readonly contact: Contact
  /** Tailscale Services that tailscaled has ever served. */
  readonly everServed: ReadonlySet<string>
  readonly certificates: Certificates
  /** L3 ingress that the agent forwards itself: its port for each of the node's TCP ports. */
  readonly relay: { readonly ports: ReadonlyMap<number, number>; readonly counts?: RelayCounts }
  /** Set while a preStop hook waits. */
  readonly preshutdown: Preshutdown | undefined
  /** What each reconciler last achieved. */
  readonly reports: Reports
}

export type Lifecycle = {
  /** When "Startup complete" was reached. */
  readonly startedAt?: Date
  /** Why the agent is stopping. */
  readonly stopping?: string
}

/** tailscaled as a process. */
export type Daemon = {
  readonly phase: 'down' | 'starting' | 'login' | 'running' | 'stopping'
  readonly pid?: number
  /** How often it was restarted. */
  readonly restarts: number
  /** The last reason why it ended, could not be started or could not log in. */
  readonly problem?: string
}

/** What tailscaled last said on its bus. */
export type Tailnet = {
  /** Whether the bus is being watched now; `state` is unknown while it is not. */
  readonly watching: boolean
  readonly state?: BackendState
  /** tailscaled's version. */
  readonly version?: string
  /** Kept while tailscaled restarts, so that rules and flows continue. */
  readonly self?: Self
  readonly noSnat: boolean
  readonly health: ReadonlyMap<string, string>
  /** Why tailscaled did not answer the last request for its status. */
  readonly silent?: string
  /** Whether the node is connected to the control server; undefined if tailscaled has not said. */
  readonly online?: boolean
  /** The node has a key, and so was logged in once. */
  readonly hasNodeKey?: true
  /** Where a person must log in. */
  readonly loginUrl?: string
  /** The other nodes; undefined until they are known, and if nothing routes into the tailnet. */
  readonly peers?: Peers
  readonly records?: readonly ExtraRecord[]
  /**
   * Names of the Tailscale Services that the control server assigned to this node; undefined if tailscaled has not
   * said.
   */
  readonly hosted?: readonly string[]
  /** Names for which this node can have certificates, its own first; undefined if tailscaled has not said. */
  readonly certDomains?: readonly string[]
  /** Whether tailscaled uses the subnet routes of peers; undefined if it has not said. */
  readonly acceptsRoutes?: boolean
}

/** The auth key was refused, and the Secret asks for another one. */
export type Reissue = {
  /** The refused key, which is the value of `reissue_authkey` in the Secret; may be empty. */
  readonly refusedKey: string
  readonly reason: string
}

/** The mounted files; undefined if not configured, and before the first read. */
export type MountedFiles = {
  /** ProxyGroup egress: the services, and how often a health URL is asked before the Pod may end. */
  readonly egressServices?: Mounted<EgressServices | undefined>
  readonly healthPings?: Mounted<number | undefined>
  /** ProxyGroup ingress: the Tailscale Services. */
  readonly ingressServices?: Mounted<IngressServices | undefined>
  readonly serveConfig?: Mounted<ServeFile | undefined>
}

/** A config file that was read and is valid. */
export type DeviceConfig = {
  readonly path: string
  /** The N of its name, `cap-N.hujson`. */
  readonly cap: number
  /** The file's content as read; it holds an auth key. */
  readonly bytes: Buffer
  readonly config: DeviceConfigContent
}

/** The config file for tailscaled, and the Tailscale Services that it advertises with it. */
export type EffectiveConfig = { readonly bytes: Buffer; readonly services: readonly string[] }

export type DeviceConfigState = {
  readonly file: Mounted<DeviceConfig>
  /** What tailscaled last read, and from where; undefined before its first start. */
  readonly read?: EffectiveConfig & { readonly path: string }
}

/** The state Secret, as far as the agent uses it. */
export type StateSecret = {
  readonly name: string
  /** Undefined until the API was asked. */
  readonly access?: Access
  /** The `authkey` in it, if nothing else says how to log in. */
  readonly authKey?: string
  /** What is wrong with tailscaled's own keys in it. */
  readonly broken?: string
  /** Why the API cannot be asked. */
  readonly problem?: string
  /** The address at which the API is called, since its name was not found at the start. */
  readonly fallback?: string
}

/** What the service account may do with the state Secret beyond reading and updating it. */
export type Access = { readonly patch: boolean; readonly create: boolean }

/** Whether targets in the tailnet have answered. */
export type Contact = {
  /** ProxyGroup egress: services whose targets have answered, or were waited for long enough. */
  readonly services: ReadonlySet<string>
  /** When that was true of all initial targets. */
  readonly since?: Date
}

/** The certificates that a group shares. */
export type Certificates = {
  /** What is known, by name. */
  readonly reports: ReadonlyMap<string, CertificateReport>
  /** What the state Secret should remember; undefined before there was anything. */
  readonly memory?: CertificateMemory
}

/** A preStop hook waits until nothing routes to this Pod any more. */
export type Preshutdown = {
  readonly since: Date
  /** First asks who answers for the services, then waits for the other nodes to follow. */
  readonly phase: 'asking' | 'settling'
  /** Services that may still route here, each with the last answer. */
  readonly waitingFor: ReadonlyMap<string, string>
}

/** The firewall that was chosen at the start, and why. */
export type FirewallChoice = Pick<Backend, 'name' | 'reason'>

/** The World before tailscaled has said anything. `deviceConfig`: its config file, in one-step mode. */
export const initialWorld = (
  settings: Settings,
  kernelFamilies: readonly Family[],
  deviceConfig?: DeviceConfig,
  firewall?: FirewallChoice,
  capability: Capability = {},
): World => ({
  settings,
  kernelFamilies,
  firewall,
  destination: settings.targetName === undefined ? undefined : unresolved,
  lifecycle: {},
  daemon: { phase: 'down', restarts: 0 },
  tailnet: { watching: false, noSnat: false, health: new Map() },
  capability,
  reissue: undefined,
  network: undefined,
  mounted: {},
  deviceConfig: deviceConfig && { file: { content: deviceConfig } },
  stateSecret: undefined,
  contact: { services: new Set() },
  everServed: new Set(),
  certificates: { reports: new Map() },
  relay: { ports: new Map() },
  preshutdown: undefined,
  reports: {},
})

/** Whether tailscaled's socket exists; otherwise there is nothing to ask, and the daemon machine is working on it. */
export const isUp = ({ daemon }: World): boolean => daemon.phase === 'login' || daemon.phase === 'running'

/** Whether tailscaled is logged in and says so: before that it accepts no serve config. */
export const isRunning = ({ daemon, tailnet }: World): boolean =>
  daemon.phase === 'running' && tailnet.state === 'Running'

/** Upstream's meaning of healthy: the node had an address at its last message. */
export const hasAddress = ({ tailnet }: World): boolean => (tailnet.self?.addresses.length ?? 0) > 0
