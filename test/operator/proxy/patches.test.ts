import { expect, test } from 'vitest'
import type { Api } from '../../../kube/controller/api.ts'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { store } from '../../../kube/controller/store.ts'
import { services } from '../../../operator/objects/resources.ts'
import { patches } from '../../../operator/proxy/report.ts'

const object: KubeObject = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { namespace: 'apps', name: 'web', resourceVersion: '7', annotations: { note: 'before' } },
}
const flight = { signal: new AbortController().signal, wrote: () => {} }

/** The bodies of the patches that are sent for one. */
async function sent(patch: object, isShared?: boolean): Promise<readonly unknown[]> {
  const bodies: unknown[] = []
  const send: Api['patch'] = async (_resource, _name, { body }) => {
    bodies.push(body)
    return object
  }
  const options = { api: { patch: send }, resource: services, store: store({ failed: () => {} }) }
  await patches({ ...options, ...(isShared !== undefined && { isShared }) })(object, { ...patch }, flight)
  return bodies
}

test('a patch is sent as it is, or not at all if it changes nothing', async () => {
  const patch = { metadata: { annotations: { note: null } } }
  expect(await sent(patch)).toEqual([patch])
  expect(await sent({ metadata: { annotations: { note: 'before' } } }, true)).toEqual([])
})

test('where another process may write the object, a patch is of the version that was seen', async () => {
  expect(await sent({ metadata: { annotations: { note: null } }, spec: { selector: null } }, true)).toEqual([
    { metadata: { annotations: { note: null }, resourceVersion: '7' }, spec: { selector: null } },
  ])
  expect(await sent({ spec: { type: 'ClusterIP' } }, true)).toEqual([
    { metadata: { resourceVersion: '7' }, spec: { type: 'ClusterIP' } },
  ])
})
