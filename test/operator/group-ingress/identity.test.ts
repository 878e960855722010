import { expect, test } from 'vitest'
import type { Api } from '../../../kube/controller/api.ts'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { KubeError } from '../../../kube/error.ts'
import { identityOf, identitySecret } from '../../../operator/group-ingress/identity.ts'

const never = new AbortController().signal
const base64 = (text: string): string => Buffer.from(text).toString('base64')

const secret = (name: string, texts: Readonly<Record<string, string>>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: 'tailscale', resourceVersion: '1' },
  data: Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, base64(text)])),
})
/** The state that Tailscale's operator has left. */
const state = (NodeID: string): KubeObject =>
  secret('operator', { '_current-profile': 'profile-1', 'profile-1': JSON.stringify({ Config: { NodeID } }) })

/** An API server with these objects. */
function cluster(...objects: readonly KubeObject[]) {
  const kubeSystem: KubeObject = {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'kube-system', uid: 'uid-1' },
  }
  const all = new Map([kubeSystem, ...objects].map((object) => [object.metadata.name, object]))
  const api: Pick<Api, 'get' | 'create' | 'patch'> = {
    get: async (_resource, { name }) => all.get(name),
    create: async (_resource, object) => {
      if (all.has(object.metadata.name))
        throw new KubeError('exists', { status: 409, reason: 'AlreadyExists', retryable: false })
      all.set(object.metadata.name, object)
      return object
    },
    patch: async (_resource, { name }, { body }) => {
      const { data } = body as { data: Record<string, string> }
      const after = { ...all.get(name)!, data }
      all.set(name, after)
      return after
    },
  }
  const identity = (operatorId = '') =>
    identityOf({ api, settings: { namespace: 'tailscale', operatorId, operatorSecret: 'operator' }, manager: 'test' })(
      never,
    )
  return { all, api, identity }
}

test('an ID is made once, and is the same for all replicas', async () => {
  const { identity } = cluster()
  const [one, other] = await Promise.all([identity(), identity()])
  expect(one).toMatchObject({ former: [], place: 'uid-1/tailscale' })
  expect(one.operatorId).toMatch(/^[\da-f-]{36}$/)
  expect(other).toEqual(one)
})

test('it is that of the node which Tailscale’s operator had, also when that is gone', async () => {
  const { all, identity } = cluster(state('nABC'))
  expect((await identity()).operatorId).toBe('nABC')
  all.delete('operator')
  expect((await identity()).operatorId).toBe('nABC')
})

test('it is the configured one, and earlier ones are remembered', async () => {
  const { identity } = cluster(state('nABC'))
  await identity()
  expect(await identity('east')).toMatchObject({ operatorId: 'east', former: ['nABC'] })
  expect(await identity('west')).toMatchObject({ operatorId: 'west', former: ['nABC', 'east'] })
  expect(await identity('east')).toMatchObject({ operatorId: 'east', former: ['nABC', 'west'] })
})

test('what is kept can be read, and has no label by which another operator would take it', async () => {
  const { all, identity } = cluster()
  await identity('east')
  const kept = all.get(identitySecret)!
  expect(Buffer.from((kept['data'] as Record<string, string>)['operator-id'] ?? '', 'base64').toString()).toBe('east')
  expect(kept.metadata.labels).toBeUndefined()
})
