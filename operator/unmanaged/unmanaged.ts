import type { KubeObject } from '../../kube/controller/object.ts'
import type { Resource } from '../../kube/controller/resource.ts'
import type { Judged, Verdict } from '../judged.ts'
import type { Condition } from '../objects/conditions.ts'
import { finalizer } from '../objects/names.ts'
import { dnsConfigs, peerRelays, proxyGroupPolicies, tailnets } from '../objects/resources.ts'

type Unmanaged = {
  readonly resource: Resource
  /** Conditions by which Tailscale's operator says that it works; of what it says last, nobody knows if it is so. */
  readonly conditions: readonly string[]
  /** What an object that is there already means now. */
  readonly left: string
  /** Nothing outside the cluster has to be removed before an object may go. */
  readonly isFree?: boolean
}

const proxiesStay = 'Proxies that Tailscale’s operator made for it stay, and nobody looks after them.'

const kinds: readonly Unmanaged[] = [
  {
    resource: dnsConfigs,
    conditions: ['NameserverReady'],
    left: 'A name server that Tailscale’s operator made stays, and gets no new names.',
    isFree: true,
  },
  { resource: tailnets, conditions: ['TailnetReady'], left: 'Objects that name it are refused.', isFree: true },
  { resource: peerRelays, conditions: ['PeerRelayReady'], left: proxiesStay },
  {
    resource: proxyGroupPolicies,
    conditions: [],
    left: 'Admission policies that Tailscale’s operator made from it stay, and go on denying.',
  },
]

/** That nothing is made for an object, and that its conditions by which Tailscale's operator said that it works are void. */
export function notManaged(
  { metadata }: KubeObject,
  what: string,
  conditions: readonly string[],
  left: string,
): Verdict {
  const plain = `This operator does not manage ${what} yet: nothing is made for this one. ${left}`
  const isHeld = metadata.deletionTimestamp !== undefined && metadata.finalizers?.includes(finalizer) === true
  const message = isHeld
    ? `${plain} It is not deleted before its devices are removed from the tailnet; do that, then remove the finalizer ${finalizer}.`
    : plain
  const not = (type: string): Condition => ({ type, status: 'False', reason: 'NotManaged', message })
  return {
    conditions: [{ ...not('NotManaged'), status: 'True' }, ...conditions.map(not)],
    events: [{ type: 'Warning', reason: 'NotManaged', message }],
  }
}

/** Kinds whose objects are only told that nothing is made for them. */
export const unmanaged: readonly Judged[] = kinds.map(({ resource, conditions, left, isFree = false }) => ({
  name: resource.kind,
  resource,
  ...(isFree && { finalizer }),
  judge: (object) => notManaged(object, `objects of the kind ${resource.kind}`, conditions, left),
}))
