import { CulvertError } from '../../../lib/errors.ts'

/** A Kubernetes cluster beside a tailnet. */
export type ClusterSpec = {
  /**
   * How many nodes run Pods; 1 when left out. With 0 there are etcd and the API server alone: objects are stored,
   * tokens and rights are checked, and nothing acts on them.
   */
  readonly nodes?: number
}

const most = 5

/** How many nodes a cluster has. Throws CulvertError `settings` for a number that cannot be made. */
export function nodesOf({ nodes = 1 }: ClusterSpec): number {
  if (Number.isInteger(nodes) && nodes >= 0 && nodes <= most) return nodes
  throw new CulvertError('settings', `a cluster cannot have ${nodes} nodes`, {
    remedy: `Use a number from 0 to ${most}`,
  })
}
