import { CulvertError } from '../../../lib/errors.ts'
import type { Addressing } from './addresses.ts'

/** A Kubernetes cluster beside a tailnet. */
export type ClusterSpec = Pick<Addressing, 'ipv4' | 'ipv6'> & {
  /**
   * The number of nodes for Pods; 1 when left out. With 0 there are only etcd and the API server: objects are stored,
   * tokens and permissions are checked, and no controller runs.
   */
  readonly nodes?: number
  /** How often kubelet looks at mounted files by itself; `1s` when left out. Its own default is `1m`. */
  readonly syncFrequency?: string
}

const most = 5

/** The number of nodes. Throws CulvertError `settings` for an unsupported number, or for a cluster without addresses. */
export function nodesOf({ nodes = 1, ipv4, ipv6 }: ClusterSpec): number {
  if (ipv4 === false && ipv6 === false)
    throw new CulvertError('settings', 'the cluster would have no addresses', {
      remedy: 'Leave it IPv4, IPv6 or both',
    })
  if (Number.isInteger(nodes) && nodes >= 0 && nodes <= most) return nodes
  throw new CulvertError('settings', `a cluster cannot have ${nodes} nodes`, {
    remedy: `Use a number from 0 to ${most}`,
  })
}
