import type { CertificateReport } from '../../certs/report.ts'
import type { Address, Family, Prefix } from '../../lib/address.ts'
import type { BackendState, Self } from '../../localapi/notify.ts'
import type { ExtraRecord, Peers } from '../../localapi/peers.ts'
import type { CertificateMemory } from '../../wire/certificate-memory.ts'
import type { EgressServices } from '../../wire/egress-services.ts'
import type { IngressServices } from '../../wire/ingress-services.ts'
import type { ServeFile } from '../../wire/serve-file.ts'
import type { HandedConfig } from '../device-config/effective.ts'
import type { FollowedConfig } from '../device-config/follow.ts'
import type { Mounted } from '../mounted/mounted.ts'
import type { Preshutdown } from '../preshutdown/preshutdown.ts'
import type { Settings } from '../settings/settings.ts'
import type { Access } from '../state-secret/access.ts'

/** Everything the agent knows, as one immutable value: facets plan from it, and every view is made from it. */
export type World = {
  readonly settings: Settings
  /** Address families that the kernel carries in this network namespace. */
  readonly kernelFamilies: readonly Family[]
  readonly daemon: Daemon
  readonly tailnet: Tailnet
  /** Undefined where no state Secret is set. */
  readonly stateSecret?: StateSecret
  /** The Pod's own network; undefined until it has been looked at. */
  readonly network?: LocalNetwork
  /** ProxyGroup egress: the mounted services, and how often a health URL is asked before the Pod may end. */
  readonly egressServices?: Mounted<EgressServices>
  readonly healthPings?: Mounted<number>
  /** ProxyGroup ingress: the mounted Tailscale Services. */
  readonly ingressServices?: Mounted<IngressServices>
  /** The mounted serve config. */
  readonly serveConfig?: Mounted<ServeFile>
  /** Of the names that this Pod shares certificates for, what is known of each. */
  readonly certificates?: ReadonlyMap<string, CertificateReport>
  /** What the state Secret is to remember of them; undefined where there has been nothing. */
  readonly certificateMemory?: CertificateMemory
  /** ProxyGroup egress: the services whose targets have been heard from, or were waited for long enough. */
  readonly contacted?: ReadonlySet<string>
  /** When that was so of all targets in the tailnet that were known at the start. */
  readonly contactedAt?: Date
  /** tailscaled's config file; undefined unless in one-step mode. */
  readonly deviceConfig?: FollowedConfig
  /** Set while another auth key is waited for. */
  readonly reissue?: Reissue
  /** What each facet last achieved, by its name. */
  readonly facets: Readonly<Record<string, FacetReport>>
  /** When each check came into its present state, by its name. */
  readonly since: Readonly<Record<string, { readonly state: string; readonly at: Date }>>
  /** Set while a preStop hook waits until no service leads here any more. */
  readonly preshutdown?: Preshutdown
  /** When "Startup complete" was reached. */
  readonly startedAt?: Date
  /** Why the agent is stopping. */
  readonly stopping?: string
}

/** tailscaled as a process. */
export type Daemon = {
  readonly phase: 'down' | 'starting' | 'login' | 'running' | 'stopping'
  readonly pid?: number
  /** The config file that it reads, and what it last read there, which holds an auth key; one-step mode. */
  readonly config?: { readonly path: string } & HandedConfig
  /** How often it had to be started again. */
  readonly restarts: number
  /** The last reason why it ended, could not be started or could not log in. */
  readonly problem?: string
}

/** What tailscaled last said on its bus. */
export type Tailnet = {
  /** Whether the bus is being watched now; `state` is unknown while it is not. */
  readonly watching: boolean
  readonly state?: BackendState
  /** Of tailscaled. */
  readonly version?: string
  /** Kept while tailscaled restarts: rules and flows go on meanwhile. */
  readonly self?: Self
  readonly noSnat: boolean
  readonly health: ReadonlyMap<string, string>
  /** Why tailscaled did not answer when it was last asked for its status. */
  readonly silent?: string
  /** Whether the node is connected to the control server; undefined when tailscaled has not said. */
  readonly online?: boolean
  /** Where a person must log in. */
  readonly loginUrl?: string
  /** The other nodes; undefined until they are known, and where nothing leads into the tailnet. */
  readonly peers?: Peers
  readonly records?: readonly ExtraRecord[]
  /** Names of the Tailscale Services that the control server has this node host; undefined when tailscaled has not said. */
  readonly hosted?: readonly string[]
  /** Names that this node can have certificates for, its own first; undefined when tailscaled has not said. */
  readonly certDomains?: readonly string[]
  /** Whether tailscaled uses the subnet routes of peers; undefined when it has not said. */
  readonly acceptsRoutes?: boolean
}

/** What of the Pod's network no egress target may be. */
export type LocalNetwork = {
  /** Of every device but tailscale0, with the network that it is on. */
  readonly addresses: readonly { readonly address: Address; readonly onLink: Prefix; readonly device: string }[]
  /** Of the Kubernetes API, and of the resolvers in /etc/resolv.conf. */
  readonly apiServer: readonly Address[]
  readonly resolvers: readonly Address[]
}

/** The state Secret, as far as the agent keeps it. */
export type StateSecret = {
  readonly name: string
  /** Undefined until the API has been asked. */
  readonly access?: Access
  /** What is wrong with tailscaled's own keys in it. */
  readonly broken?: string
  /** Why the API cannot be asked. */
  readonly problem?: string
}

/** The auth key was refused, and the Secret asks for another one. */
export type Reissue = {
  /** The refused key, which is what the Secret's `reissue_authkey` holds; may be empty. */
  readonly refusedKey: string
  readonly reason: string
}

export type FacetReport = {
  /** What the facet wanted at its last attempt. */
  readonly desired: unknown
  /** What was last read back; absent when it is known to be lost. */
  readonly verified?: unknown
  /** When that was. */
  readonly verifiedAt?: Date
  /** What an attempt that goes on, or has failed, was to put in the place of what was verified, of which it may have left less. */
  readonly attempting?: unknown
  /** Why the last attempt failed; absent when it succeeded. */
  readonly error?: string
  /** When it began to fail; absent when its last attempt succeeded. */
  readonly failingSince?: Date
  /** How often the outside had changed what was verified before, and it was put right. */
  readonly repairs: number
  /** How many attempts have failed. */
  readonly failures: number
}

/** Before anything has been heard of tailscaled. */
export const initialWorld = (settings: Settings, kernelFamilies: readonly Family[]): World => ({
  settings,
  kernelFamilies,
  daemon: { phase: 'down', restarts: 0 },
  tailnet: { watching: false, noSnat: false, health: new Map() },
  facets: {},
  since: {},
})

/** Whether tailscaled's socket is there: otherwise there is nobody to ask, and the daemon machine is at it. */
export const isUp = ({ daemon }: World): boolean => daemon.phase === 'login' || daemon.phase === 'running'

/** Upstream's meaning of healthy (agent.md §10): the node had an address when it last spoke. */
export const hasAddress = ({ tailnet }: World): boolean => (tailnet.self?.addresses.length ?? 0) > 0

/** Holds the newest World and wakes those who wait for a change. */
export type Store = {
  readonly world: World
  readonly update: (change: (world: World) => World) => void
  /** Resolves once `condition` holds, at once if it does; rejects with the signal's reason when it aborts first. */
  readonly until: (condition: (world: World) => boolean, signal: AbortSignal) => Promise<World>
  /** Calls `listener` after changes: a burst of them is one call. */
  readonly watch: (listener: () => void, signal: AbortSignal) => void
}

export function createStore(initial: World): Store {
  let world = initial
  let scheduled = false
  const listeners = new Set<() => void>()
  const wake = (): void => {
    scheduled = false
    for (const listener of listeners) listener()
  }
  const watch: Store['watch'] = (listener, signal) => {
    if (signal.aborted) return
    listeners.add(listener)
    signal.addEventListener('abort', () => listeners.delete(listener), { once: true })
  }
  return {
    get world() {
      return world
    },
    update: (change) => {
      const next = change(world)
      if (next === world) return
      world = next
      if (scheduled) return
      scheduled = true
      setImmediate(wake)
    },
    watch,
    until: (condition, signal) =>
      new Promise((resolve, reject) => {
        signal.throwIfAborted()
        if (condition(world)) return resolve(world)
        const done = new AbortController()
        const stopWatching = AbortSignal.any([done.signal, signal])
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true, signal: done.signal })
        watch(() => {
          if (!condition(world)) return
          done.abort()
          resolve(world)
        }, stopWatching)
      }),
  }
}
