import * as z from 'zod/mini'
import { optional } from '../../../lib/json.ts'
import type { KubeObject, Metadata, Name } from '../object.ts'
import type { Resource } from '../resource.ts'
import { type Candidate, declares, type LeaseView } from './candidate.ts'
import { declaration, declaredBy, planAnnotation } from './declared.ts'

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
  renewTime: optional(z.string()),
})

/** What matters of a Lease. One that says something else than Leases do counts as held by somebody unknown. */
export function viewOf({ metadata, spec = {} }: KubeObject): LeaseView {
  const read: z.output<typeof specSchema> = z.safeParse(specSchema, spec).data ?? { holderIdentity: 'somebody' }
  const { holderIdentity, leaseDurationSeconds, leaseTransitions, renewTime } = read
  const annotation = metadata.annotations?.[planAnnotation]
  return {
    version: metadata.resourceVersion ?? '',
    record: JSON.stringify(spec),
    holder: holderIdentity || undefined,
    lease:
      leaseDurationSeconds === undefined || leaseDurationSeconds === null ? undefined : leaseDurationSeconds * 1000,
    renewed: renewTime ?? undefined,
    transitions: leaseTransitions ?? undefined,
    annotation,
    declared: declaredBy(annotation, holderIdentity || undefined),
  }
}

/** A Lease's times have microseconds. */
const timeOf = (date: Date): string => date.toISOString().replace('Z', '000Z')

/**
 * The Lease as its holder writes it at `now`; with the version that it must have for that, unless it does not exist.
 * `date`: for people.
 */
export function held(self: Candidate, name: Name, date: Date, now: number): KubeObject {
  const { identity, times, seen, until } = self
  const view = seen?.view
  const time = timeOf(date)
  const declared = declares(self, now)
  const annotation = declared && declaration(declared, view?.annotation)
  const annotations = annotation === undefined ? {} : { annotations: { [planAnnotation]: annotation } }
  return leaseOf({ ...name, ...annotations }, view?.version, {
    holderIdentity: identity,
    leaseDurationSeconds: times.lease / 1000,
    renewTime: time,
    // A leader writes it again into a Lease that was emptied: what it gives back must not look like one.
    ...((until === undefined || view?.transitions === undefined) && {
      acquireTime: time,
      leaseTransitions: (view?.transitions ?? -1) + 1,
    }),
  })
}

/** What gives the Lease back. */
export const released = (name: Name, version: string, date: Date): KubeObject =>
  leaseOf(name, version, { holderIdentity: null, renewTime: timeOf(date) })

const leaseOf = (
  { namespace, ...metadata }: Name & Pick<Metadata, 'annotations'>,
  version: string | undefined,
  spec: object,
): KubeObject => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: {
    ...metadata,
    ...(namespace !== undefined && { namespace }),
    ...(version !== undefined && { resourceVersion: version }),
  },
  spec,
})
