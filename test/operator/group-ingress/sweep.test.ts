import { expect, test } from 'vitest'
import type { Identity } from '../../../operator/group-ingress/identity.ts'
import { claim } from '../../../operator/group-ingress/owners.ts'
import { orphans } from '../../../operator/group-ingress/sweep.ts'
import { settings, worldOf } from '../a-world.ts'
import { app, db, recordFor } from './a-group.ts'

const east: Identity = { operatorId: 'east', former: [], place: 'cluster-1/tailscale' }
const west: Identity = { operatorId: 'west', former: [], place: 'cluster-2/tailscale' }
const ownedBy = (name: string, who: Identity) => {
  const made = claim(undefined, { name, ports: [], tags: [] }, who)
  if (made.do !== 'put') throw new Error('not made')
  return made.service
}

test('only what is ours and nothing asks for is swept: not what others own, objects ask for, or records have', () => {
  const leaving = db({}, {}, { deletionTimestamp: '2026-01-01T00:00:00Z' })
  const world = worldOf(app(), leaving, recordFor('svc', 'kept'))
  const all = [
    ...['svc:app', 'svc:db', 'svc:kept', 'svc:left'].map((name) => ownedBy(name, east)),
    ownedBy('svc:theirs', west),
    // A copy of this operator's ID in another cluster.
    ownedBy('svc:copied', { ...east, place: 'cluster-3/tailscale' }),
    { ...ownedBy('svc:plain', east), annotations: {} },
  ]
  expect(orphans(all, world, east, settings)).toEqual(['svc:left'])
})

test('what Tailscale’s operator has left is swept, too', () => {
  const [service] = [ownedBy('svc:left', east)]
  const { ['culvert/places']: _places, ...annotations } = service.annotations
  expect(orphans([{ ...service, annotations }], worldOf(), east, settings)).toEqual(['svc:left'])
})
