import type { Prefix } from '../../lib/address.ts'
import type { JsonObject } from '../../lib/json.ts'
import type { AutoApprovers } from '../api/api.ts'
import type { ApiError } from '../api/error.ts'
import type { Read } from '../settings/read.ts'
import type { Fact } from '../../lib/fact.ts'
import type { Access } from './rules.ts'

/** Everything that the checks judge. */
export type Facts = {
  readonly settings: Fact<Read>
  /** Its version, such as `v1.36.1`. */
  readonly apiServer: Fact<string>
  readonly kinds: Fact<ServedKinds>
  /** What the operator needs and may not do. */
  readonly forbidden: Fact<readonly Access[]>
  readonly namespace: Fact<Namespace | undefined>
  readonly nodes: Fact<readonly Node[]>
  readonly services: Fact<readonly Used[]>
  readonly pods: Fact<readonly Used[]>
  /** The parts of Tailscale's API that cannot be used. */
  readonly unusable: Fact<readonly ApiError[]>
  /** An auth key with the tags of proxies was made; whether it was removed then. */
  readonly key: Fact<Fact<void>>
  /** What has to be approved in the tailnet, and who is approved by itself. */
  readonly wishes: Fact<readonly Wish[]>
  readonly approvers: Fact<AutoApprovers>
  /** Proxies that impersonate, and whether there is the account for that. */
  readonly impersonators: Fact<{ readonly all: readonly string[]; readonly hasAccount: boolean }>
  /** What proxies have told of nodes. */
  readonly tuns: Fact<readonly Tun[]>
  readonly https: Fact<boolean | undefined>
  readonly magicDns: Fact<boolean | undefined>
}

/** Our group as the API server has it. */
export type ServedKinds = {
  /** Kinds and their subresources, such as `connectors/status`. */
  readonly resources: ReadonlySet<string>
  /** The schema of each kind by its name. */
  readonly schemas: ReadonlyMap<string, JsonObject>
}

export type Namespace = {
  readonly name: string
  /** What it does not let Pods have; undefined: they may have everything. */
  readonly forbiddenBy: 'baseline' | 'restricted' | undefined
}

export type Node = {
  readonly name: string
  /** Such as `linux`, `arm64` and `6.12.9-cloud`; empty if the node has not said so yet. */
  readonly os: string
  readonly architecture: string
  readonly kernel: string
  /** Its addresses and the networks of its Pods. */
  readonly used: readonly Used[]
}

/** What a tailnet has to approve before nodes with these tags can do it. */
export type Wish = {
  /** Such as `Connector office`. */
  readonly by: string
  readonly tags: readonly string[]
  /** Networks, those of an exit node included, or Tailscale Services. */
  readonly wants: readonly Prefix[] | 'services'
}

/** A node of which a proxy has told whether it has `/dev/net/tun`. */
export type Tun = { readonly node: string; readonly isThere: boolean }

/** An address or a network that something in the cluster has. */
export type Used = {
  /** Such as `Service default/web`. */
  readonly by: string
  readonly text: string
}
