import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { connect } from '../../../kube/controller/cluster.ts'
import { reflect } from '../../../kube/controller/reflect.ts'
import type { Resource } from '../../../kube/controller/resource.ts'
import { store } from '../../../kube/controller/store.ts'
import { SecretBed } from '../../agent/secret-bed.ts'
import { type Bed, startBed } from '../../lab/bed.ts'
import { printLogsOnFailure } from '../../lab/vitest.ts'
import { ApiBed, never } from './api-bed.ts'
import { namespaces } from './resources.ts'

let bed: Bed<'proxy'>
let real: ApiBed
beforeAll(async () => {
  bed = await startBed({ hosts: { proxy: { network: 'cluster' } }, cluster: { nodes: 0 } })
  real = await ApiBed.start(bed)
})
afterAll(async () => {
  await real[Symbol.asyncDispose]()
  await bed.down()
})
beforeEach(() => {
  printLogsOnFailure(bed)
})

test('configurations authenticate: service account, token, exec plugin; and say what is wrong', async () => {
  const secret = await SecretBed.make(bed, 'in-cluster', { texts: { key: 'value' } })
  await bed.cluster.actAs(bed.host('proxy'), 'ts', secret.secret)
  const { hostname, port } = new URL(bed.cluster.url.v4)
  const program = join(import.meta.dirname, 'programs/get.ts')
  const env = { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port }
  const { stdout } = await bed.host('proxy').exec([process.execPath, program, 'in-cluster'], { env })
  const [data, refusal] = stdout.trim().split('\n')
  expect(data).toBe('{"key":"dmFsdWU="}')
  expect(refusal).toMatch(/^get of Secret "another" in namespace "ts" was refused: 403/)

  const asksFor = async (user: Readonly<Record<string, unknown>>) => {
    const { api, namespace } = await connect(real.kubeconfig('asks', user))
    expect(namespace).toBe('ns')
    return (await api.get(namespaces, { name: 'default' }, never))?.metadata.name
  }
  expect(await asksFor({ token: real.token })).toBe('default')
  const tokens = real.file('token', 'wrong')
  const plugin = real.file(
    'plugin',
    `#!/bin/sh\necho '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{"token":"'$(cat ${tokens})'"}}'\n`,
  )
  const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: plugin, interactiveMode: 'Never' }
  await expect(asksFor({ exec })).rejects.toMatchObject({ status: 401 })
  const { api } = await connect(real.kubeconfig('plugin', { exec }))
  await expect(api.get(namespaces, { name: 'default' }, never)).rejects.toMatchObject({ status: 401 })
  // client-node would keep the old token for ever, since the plugin names no time at which it expires.
  real.file('token', real.token)
  expect((await api.get(namespaces, { name: 'default' }, never))?.metadata.name).toBe('default')
  await expect(asksFor({ exec: { ...exec, command: '/nowhere' } })).rejects.toThrow(
    /credentials cannot be had: spawn \/nowhere ENOENT/,
  )
  await expect(connect({ kubeconfig: '/nowhere' })).rejects.toThrow(/cannot be read: ENOENT/)
})

test('fields that nobody knows are kept, in all directions', async () => {
  const things: Resource = { group: 'test.lab', version: 'v1', kind: 'Thing', plural: 'things', namespaced: true }
  const schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
  await bed.cluster.apply({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'things.test.lab' },
    spec: {
      group: 'test.lab',
      scope: 'Namespaced',
      names: { plural: 'things', singular: 'thing', kind: 'Thing' },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } }],
    },
  })
  await bed.cluster.waitFor('crd/things.test.lab', 'condition=Established')
  const strange = { 'a.b/c': [1, { deep: '2026-01-01T00:00:00Z' }], spec_x: true, number: 12_345_678_901 }
  const made = { apiVersion: 'test.lab/v1', kind: 'Thing', metadata: { name: 'a', namespace: 'default' }, strange }
  await expect
    .poll(() =>
      real.api
        .patch(things, made.metadata, { type: 'apply', body: made, manager: 'm' }, never)
        .then((one) => one['strange'], String),
    )
    .toEqual(strange)
  expect((await real.api.get(things, made.metadata, never))?.['strange']).toEqual(strange)
  const kept = store({ failed: () => {} })
  const stop = new AbortController()
  const source = reflect(real.api, { resource: things, store: kept, problem: () => {} }, stop.signal)
  await source.synced
  expect(kept.get('default/a')).toMatchObject({ apiVersion: 'test.lab/v1', kind: 'Thing', strange })
  await expect.poll(() => real.proxy.openWatches('/things')).toBe(1)
  await real.direct.patch(
    things,
    made.metadata,
    { type: 'merge', body: { strange: { more: null, x: 'y' } }, manager: 'm' },
    never,
  )
  await expect.poll(() => kept.get('default/a')?.['strange']).toEqual({ ...strange, x: 'y' })
  stop.abort()
})
