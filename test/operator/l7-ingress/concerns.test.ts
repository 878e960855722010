import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { joinedService } from '../../../operator/l7-ingress/joined-service.ts'
import { l7Ingress } from '../../../operator/l7-ingress/kind.ts'
import { labelsOf } from '../../../operator/objects/parent.ts'
import { ingressClasses, ingresses, pods, secrets, services } from '../../../operator/objects/resources.ts'
import { ingress, ingressClass, service, worldOf } from '../a-world.ts'

const tls = (host: string) => ({ tls: [{ hosts: [host] }] })
const web = ingress('web', tls('app'))
const exposed = (name: string, hostname = 'app', metadata = {}) =>
  service(
    name,
    {},
    { annotations: { 'tailscale.com/expose': 'true', 'tailscale.com/hostname': hostname }, ...metadata },
  )
const db = exposed('db')

describe('a change concerns', () => {
  const world = worldOf(
    web,
    ingress(
      'other',
      { defaultBackend: { service: { name: 'plain' } } },
      {},
      { loadBalancer: { ingress: [{ hostname: 'old.example.ts.net' }] } },
    ),
    ingress('far', tls('app'), { namespace: 'far' }),
    ingress('nginx', { ingressClassName: 'nginx' }),
    db,
    exposed('two'),
    exposed('waiting', 'old'),
    service('plain'),
    exposed('far', 'app', { namespace: 'far' }),
    exposed('alone', 'app', { namespace: 'alone' }),
  )
  const keys = (kind: typeof l7Ingress, changed: KubeObject, { kind: of }: { readonly kind: string }) =>
    kind.concerns!.filter(({ resource }) => resource.kind === of).flatMap((one) => [...one.keys(changed, world)])

  it.each([
    ['of a Service: the Ingress that it joins', db, ['apps/web']],
    ['of a Service that waits: the Ingress for which it does', exposed('x', 'old'), ['apps/other']],
    ['of a backend: its Ingresses', service('plain'), ['apps/other']],
    ['of another Service: none', service('x'), []],
  ])('%s', (_what, changed, expected) => expect(keys(l7Ingress, changed, services)).toEqual(expected))

  it('of the class: its Ingresses', () => {
    expect(keys(l7Ingress, ingressClass('x'), ingressClasses)).toEqual(['apps/web', 'apps/other', 'far/far'])
  })

  it('of an Ingress: the Services that join it or wait for it', () => {
    expect(keys(joinedService, web, ingresses)).toEqual(['apps/db', 'apps/two'])
    expect(keys(joinedService, [...world.all(ingresses)][1]!, ingresses)).toEqual(['apps/waiting'])
  })

  it.each([pods, secrets])('of the $plural of an Ingress: the Services that join it', (resource) => {
    const child = (name: string) => {
      const labels = labelsOf({ type: 'ingress', namespace: 'apps', name })
      return { apiVersion: 'v1', kind: resource.kind, metadata: { name: 'ts-0', namespace: 'tailscale', labels } }
    }
    expect(keys(joinedService, child('web'), resource)).toEqual(['apps/db', 'apps/two'])
    expect(keys(joinedService, child('nginx'), resource)).toEqual([])
  })

  it('of a Service: those with which it shares a node', () => {
    expect(keys(joinedService, exposed('new'), services)).toEqual(['apps/db', 'apps/two'])
    expect(keys(joinedService, service('plain'), services)).toEqual([])
    expect(keys(joinedService, exposed('x', 'app', { namespace: 'alone' }), services)).toEqual([])
  })
})
