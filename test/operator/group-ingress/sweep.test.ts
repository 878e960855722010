import { expect, test } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import type { Identity } from '../../../operator/group-ingress/identity.ts'
import { claim, type Sole } from '../../../operator/group-ingress/owners.ts'
import { orphanedCertificates, orphans } from '../../../operator/group-ingress/sweep.ts'
import { settings, worldOf } from '../a-world.ts'
import { app, db, recordFor, secret } from './a-group.ts'

const east: Identity = { operatorId: 'east', former: [], place: 'cluster-1/tailscale' }
const west: Identity = { operatorId: 'west', former: [], place: 'cluster-2/tailscale' }
const ownedBy = (name: string, who: Identity, resource?: Sole) => {
  const made = claim(undefined, { name, ports: [], tags: [], ...(resource && { resource }) }, who)
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
  expect(orphans(all, world, east, settings)).toEqual([{ name: 'svc:left', only: undefined }])
  // Objects of other namespaces may ask for it.
  expect(orphans(all, world, east, { ...settings, namespaces: ['apps'] })).toEqual([])
})

test('a name that a group had alone is swept once no group asks for it', () => {
  const group = { apiVersion: 'tailscale.com/v1alpha1', kind: 'ProxyGroup', metadata: { name: 'api', uid: 'u' } }
  const world = worldOf({ ...group, spec: { type: 'kube-apiserver' } })
  const all = ['svc:api', 'svc:before'].map((name) =>
    ownedBy(name, east, { kind: 'ProxyGroup', name: 'api', uid: 'u' }),
  )
  const only = { kind: 'ProxyGroup', name: 'api', uid: 'u' }
  expect(orphans(all, world, east, settings)).toEqual([{ name: 'svc:before', only }])
  expect(orphans(all, world, west, settings)).toEqual([])
})

test('what was made for a certificate is swept once nothing asks for its name, and nothing has it', () => {
  const labels = { 'tailscale.com/domain': 'app.example.ts.net' }
  const made = secret('app.example.ts.net', {}, labels)
  const found = (...objects: readonly KubeObject[]) =>
    orphanedCertificates(worldOf(made, secret('group-0', {}), ...objects), settings)
  expect(found()).toEqual([made])
  expect(found(app())).toEqual([])
  expect(found(recordFor('ingress', 'app'))).toEqual([])
  // Objects of other namespaces may ask for it.
  expect(orphanedCertificates(worldOf(made), { ...settings, namespaces: ['apps'] })).toEqual([])
})

test('what Tailscale’s operator has left is swept, too', () => {
  const [service] = [ownedBy('svc:left', east)]
  const { ['culvert/places']: _places, ...annotations } = service.annotations
  const found = orphans([{ ...service, annotations }], worldOf(), east, settings)
  expect(found).toEqual([{ name: 'svc:left', only: undefined }])
})
