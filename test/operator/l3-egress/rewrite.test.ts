import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { restore, rewrite } from '../../../operator/l3-egress/rewrite.ts'
import { notes } from '../../../operator/objects/names.ts'

const place = { namespace: 'tailscale', clusterDomain: 'cluster.local' }
const ours = 'ts-db-abcde.tailscale.svc.cluster.local'

type Json = Readonly<Record<string, unknown>>

const service = (spec: Json, annotations: Readonly<Record<string, string>> = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'db', namespace: 'apps', annotations },
  spec,
})

/** As the API applies a merge patch. */
function merged(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch
  const result: Record<string, unknown> = typeof target === 'object' && target !== null ? { ...target } : {}
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name]
    else result[name] = merged(result[name], value)
  }
  return result
}
const patched = (object: KubeObject, patch: unknown): KubeObject => merged(object, patch) as KubeObject
const rewritten = (object: KubeObject, name = 'ts-db-abcde'): KubeObject =>
  patched(object, rewrite(object, name, place))
const restored = (object: KubeObject): KubeObject => patched(object, restore(object, place))

describe('a Service of egress', () => {
  it('leads to the proxies from every namespace, and selects nothing', () => {
    const { spec } = rewritten(service({ type: 'ClusterIP', selector: { app: 'db' }, ports: [{ port: 5432 }] }))
    expect(spec).toEqual({ type: 'ExternalName', externalName: ours, ports: [{ port: 5432 }] })
  })

  it('is not changed a second time', () => {
    const once = rewritten(service({ type: 'ClusterIP', selector: { app: 'db' } }))
    expect(rewritten(once)).toEqual(once)
  })

  it('follows the proxies to another name, and what it was is still known', () => {
    const first = rewritten(service({ type: 'ClusterIP', selector: { app: 'db' } }))
    const second = rewritten(first, 'ts-db-fghij')
    expect(second.spec).toMatchObject({ externalName: 'ts-db-fghij.tailscale.svc.cluster.local' })
    expect(second.metadata).toEqual(first.metadata)
  })

  it('is rewritten once more after its user has applied it anew, and that is what it was then', () => {
    const first = rewritten(service({ type: 'ClusterIP', selector: { app: 'db' } }))
    const again = patched(first, { spec: { type: 'ClusterIP', selector: { app: 'other' }, externalName: null } })
    expect(restored(rewritten(again)).spec).toEqual({ type: 'ClusterIP', selector: { app: 'other' } })
  })
})

describe('afterwards it is again', () => {
  it.each([
    ['a Service with a selector', { type: 'ClusterIP', selector: { app: 'db' }, ports: [{ port: 5432 }] }],
    ['a headless one', { type: 'ClusterIP', clusterIP: 'None', selector: { app: 'db' } }],
    ['another name', { type: 'ExternalName', externalName: 'placeholder' }],
    [
      'a name in the namespace of the proxies that is none of theirs',
      { type: 'ExternalName', externalName: 'db.tailscale.svc.cluster.local' },
    ],
    [
      'a load balancer',
      {
        type: 'LoadBalancer',
        loadBalancerClass: 'x',
        loadBalancerSourceRanges: ['10.0.0.0/8'],
        externalTrafficPolicy: 'Local',
      },
    ],
    ['of both families', { type: 'ClusterIP', ipFamilyPolicy: 'PreferDualStack', ipFamilies: ['IPv6', 'IPv4'] }],
  ])('%s', (_what, spec) => {
    const before = service(spec, { other: 'stays' })
    expect(restored(rewritten(before))).toEqual(before)
  })

  it('without its former address, which may be of another Service by then', () => {
    const spec = { type: 'ClusterIP', clusterIP: '10.96.0.9', clusterIPs: ['10.96.0.9'] }
    expect(restored(patched(rewritten(service(spec)), { spec: { clusterIP: null, clusterIPs: null } })).spec).toEqual({
      type: 'ClusterIP',
    })
  })
})

describe('it stays as it is', () => {
  it('if it was not rewritten', () => expect(restore(service({ type: 'ClusterIP' }), place)).toBeUndefined())

  it('if its user has changed it since, apart from our note', () => {
    const changed = patched(rewritten(service({ type: 'ClusterIP' })), {
      spec: { type: 'ClusterIP', externalName: null },
    })
    expect(restored(changed)).toEqual(service({ type: 'ClusterIP' }))
  })

  it('apart from our name, which the API keeps when the user chooses another type', () => {
    const changed = patched(rewritten(service({ type: 'ClusterIP' })), { spec: { type: 'ClusterIP' } })
    expect(restored(changed)).toEqual(service({ type: 'ClusterIP' }))
    expect(restored(rewritten(changed))).toEqual(service({ type: 'ClusterIP' }))
  })

  it('if another operator has rewritten it, so that nothing is known', () => {
    const adopted = service({ type: 'ExternalName', externalName: 'ts-db-zzzzz.tailscale.svc.cluster.local' })
    const taken = rewritten(adopted, 'ts-db-zzzzz')
    expect(taken.metadata.annotations).toEqual({ [notes.beforeEgress]: '{}' })
    expect(restored(taken)).toEqual(adopted)
  })

  it.each(['', 'x', '[]', '{"type":null}', '7'])('if the note is broken: %s', (note) => {
    const spec = { type: 'ExternalName', externalName: ours }
    expect(restored(service(spec, { [notes.beforeEgress]: note })).spec).toEqual(spec)
  })
})
