import * as z from 'zod/mini'
import { optional } from '../../../lib/json.ts'
import type { KubeObject, Name } from '../object.ts'
import type { Resource } from '../resource.ts'
import type { Candidate, LeaseView } from './candidate.ts'

export const leases: Resource = {
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  plural: 'leases',
  namespaced: true,
}

const specSchema = z.object({
  holderIdentity: optional(z.string()),
  leaseDurationSeconds: optional(z.number()),
  leaseTransitions: optional(z.number()),
})

/** What matters of a Lease. One that says something else than Leases do counts as held by somebody unknown. */
export function viewOf({ metadata, spec = {} }: KubeObject): LeaseView {
  const read: z.output<typeof specSchema> = z.safeParse(specSchema, spec).data ?? { holderIdentity: 'somebody' }
  const { holderIdentity, leaseDurationSeconds, leaseTransitions } = read
  return {
    version: metadata.resourceVersion ?? '',
    record: JSON.stringify(spec),
    holder: holderIdentity || undefined,
    lease:
      leaseDurationSeconds === undefined || leaseDurationSeconds === null ? undefined : leaseDurationSeconds * 1000,
    transitions: leaseTransitions ?? 0,
  }
}

/** A Lease's times have microseconds. */
const timeOf = (date: Date): string => date.toISOString().replace('Z', '000Z')

/** The Lease as its holder writes it; with the version that it must have for that, unless it does not exist. */
export function held({ identity, times, seen, until }: Candidate, name: Name, date: Date): KubeObject {
  const view = seen?.view
  const time = timeOf(date)
  return leaseOf(name, view?.version, {
    holderIdentity: identity,
    leaseDurationSeconds: times.lease / 1000,
    renewTime: time,
    ...(until === undefined && {
      acquireTime: time,
      leaseTransitions: (view?.transitions ?? 0) + (view === undefined ? 0 : 1),
    }),
  })
}

/** What gives the Lease back. */
export const released = (name: Name, version: string, date: Date): KubeObject =>
  leaseOf(name, version, { holderIdentity: null, renewTime: timeOf(date) })

const leaseOf = ({ name, namespace }: Name, version: string | undefined, spec: object): KubeObject => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: {
    name,
    ...(namespace !== undefined && { namespace }),
    ...(version !== undefined && { resourceVersion: version }),
  },
  spec,
})
