/** Which address families a node has. */
export type Families = 'both' | 'v4' | 'v6'

/** Values by capability. */
export type CapMap = Readonly<Record<string, readonly unknown[] | null>>

export type TailnetNode = {
  readonly id: number
  readonly stableId: string
  readonly name: string
  readonly fqdn: string
  readonly addresses: readonly string[]
  readonly families: Families
  readonly user: string
  readonly tags: readonly string[]
  readonly ephemeral: boolean
  readonly approved: boolean
  readonly expired: boolean
  readonly keyExpiry?: string
  readonly online: boolean
  readonly polling: boolean
  readonly created: string
  readonly lastSeen: string
  readonly nodeKey: string
  readonly machineKey: string
  readonly endpoints: readonly string[]
  readonly homeDerp: number
  readonly certDomains: readonly string[]
  readonly advertisedRoutes: readonly string[]
  readonly routes: readonly string[]
  readonly primaryRoutes: readonly string[]
  readonly capMap: CapMap
  readonly hostinfo: Readonly<Record<string, unknown>>
}

/** Changes of a node; what is left out stays. */
export type NodePatch = {
  readonly capMap?: CapMap
  readonly tags?: readonly string[]
  readonly routes?: readonly string[]
  readonly certDomains?: readonly string[]
  readonly expired?: boolean
  /** When its key expires, as RFC 3339 has it. */
  readonly keyExpiry?: string
  readonly approved?: boolean
  readonly addresses?: readonly string[]
  readonly families?: Families
}

export type NewKey = {
  readonly key?: string
  readonly reusable?: boolean
  readonly ephemeral?: boolean
  /** Negative: the key is expired already. */
  readonly expiresInSeconds?: number
  readonly tags?: readonly string[]
  /** Nodes that use it need no approval. */
  readonly approved?: boolean
}

export type AuthKey = {
  readonly key: string
  readonly reusable: boolean
  readonly ephemeral: boolean
  readonly tags: readonly string[]
  readonly approved: boolean
  readonly created: string
  readonly expires?: string
  readonly uses: number
  /** How the HTTP API names it. */
  readonly id: string
  readonly description: string
}

/** A client of the HTTP API. */
export type ApiClient = {
  readonly id: string
  readonly secret: string
  /** The service account whose tokens it may exchange, `system:serviceaccount:NAMESPACE:NAME`; it has no secret then. */
  readonly subject: string
  /** An audience that these tokens must have. */
  readonly audience: string
  readonly tags: readonly string[]
  readonly scopes: readonly string[]
}

export type ApiSettings = {
  readonly play: 'tailscale' | 'headscale' | 'none'
  readonly formOnly: boolean
  readonly tokenSeconds: number
  /** The owners of each tag of the policy; without any, all tags are allowed. */
  readonly tagOwners: Readonly<Record<string, readonly string[]>>
  readonly autoApproveServices: boolean
}

/** A failure of the HTTP API, as docs/lab-control.md describes it. */
export type ApiFault = {
  readonly method?: string
  readonly path?: string
  /** Once unless given; 0: always. */
  readonly times?: number
  readonly seconds?: number
  readonly status?: number
  readonly retryAfter?: string
  readonly body?: string
  readonly cut?: true
  readonly done?: true
}

export type Login = { readonly url: string; readonly hostname: string; readonly created: string }

export type Settings = {
  readonly approvalRequired: boolean
  readonly loginRequired: boolean
  readonly autoApproveRoutes: boolean
  /** Whether nodes may have certificates. */
  readonly https: boolean
  readonly magicDNS: boolean
  readonly families: Families
  readonly ephemeralTimeoutSeconds: number
}

/** Fields of a Tailscale Service; what is left out stays. */
export type ServicePatch = {
  /** The ports that a host must serve, such as `tcp:443`; any when empty. */
  readonly ports?: readonly string[]
  /** Whether tagged nodes may host it without approval. */
  readonly autoApprove?: boolean
}

/** The state of a node as host of a Tailscale Service, as docs/lab-control.md describes it. */
export type HostState = 'gone' | 'untagged' | 'held' | 'incomplete' | 'configured' | 'offline' | 'arriving' | 'serving'

export type TailnetService = Required<ServicePatch> & {
  readonly name: string
  readonly comment: string
  readonly annotations: Readonly<Record<string, string>>
  readonly tags: readonly string[]
  readonly fqdn: string
  /** IPv4, IPv6. */
  readonly addresses: readonly [v4: string, v6: string]
  readonly hosts: readonly {
    readonly node: string
    readonly state: HostState
    readonly ports: readonly string[]
    /** The nodes that are routed to this host. */
    readonly clients: readonly string[]
  }[]
}

export type Grant = { readonly src: readonly string[]; readonly dst: readonly string[]; readonly app: CapMap }

export type DnsRecord = { readonly name: string; readonly type: string; readonly value: string; readonly ttl?: number }

export type OutageState = { readonly active: boolean; readonly until?: string; readonly derp?: boolean }

export type ControlEvent = {
  readonly id: number
  readonly time: string
  readonly kind: string
  readonly nodeId?: number
  readonly node?: string
  readonly message: string
}
