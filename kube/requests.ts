import type { TransportRequest } from '../lib/transport.ts'
import type { Subject } from './error.ts'

export type ApiRequest = Subject & TransportRequest

/** Where a Secret is; both parts are not encoded. */
export type SecretName = { readonly namespace: string; readonly name: string }

/** Verbs that a SelfSubjectAccessReview can check. */
export type ReviewedVerb = 'get' | 'update' | 'patch' | 'create' | 'list' | 'watch'

/**
 * The field manager, under which the API records the ownership of fields: upstream's, so that switching agents does not
 * change it.
 */
const manager = 'fieldManager=tailscale-container'

const wordsFor = ({ namespace, name }: SecretName): string => `Secret "${name}" in namespace "${namespace}"`
const collection = ({ namespace }: SecretName): string => `/api/v1/namespaces/${encodeURIComponent(namespace)}/secrets`
const item = (secret: SecretName): string => `${collection(secret)}/${encodeURIComponent(secret.name)}`
const only = ({ name }: SecretName): string => `fieldSelector=${encodeURIComponent(`metadata.name=${name}`)}`
const json = (value: unknown, type = 'application/json') => ({ type, text: JSON.stringify(value) })
const encode = (value: string | null): string | null => (value === null ? null : Buffer.from(value).toString('base64'))
const encoded = (values: ReadonlyMap<string, string | null>): Record<string, string | null> =>
  Object.fromEntries([...values].map(([key, value]) => [key, encode(value)]))
const texts = (data: Record<string, string | null>): string[] => Object.values(data).filter((value) => value !== null)

export const getSecret = (secret: SecretName): ApiRequest => ({
  verb: 'get',
  object: wordsFor(secret),
  method: 'GET',
  path: item(secret),
})

export const listSecret = (secret: SecretName): ApiRequest => ({
  verb: 'list',
  object: wordsFor(secret),
  method: 'GET',
  path: `${collection(secret)}?${only(secret)}`,
})

/** For `seconds`, starting after `version`. Bookmarks keep the version recent while nothing happens. */
export const watchSecret = (secret: SecretName, version: string, seconds: number): ApiRequest => ({
  verb: 'watch',
  object: wordsFor(secret),
  method: 'GET',
  path: `${collection(secret)}?${only(secret)}&watch=true&allowWatchBookmarks=true&timeoutSeconds=${seconds}&resourceVersion=${encodeURIComponent(version)}`,
})

/** A merge patch: keys with null are deleted, keys that are not named stay. */
export function patchSecret(secret: SecretName, change: ReadonlyMap<string, string | null>): ApiRequest {
  const data = encoded(change)
  return {
    verb: 'patch',
    object: wordsFor(secret),
    method: 'PATCH',
    path: `${item(secret)}?${manager}`,
    body: json({ data }, 'application/strategic-merge-patch+json'),
    hidden: texts(data),
  }
}

export function createSecret(secret: SecretName, values: ReadonlyMap<string, string>): ApiRequest {
  const data = encoded(values)
  return {
    verb: 'create',
    object: wordsFor(secret),
    method: 'POST',
    once: true,
    path: `${collection(secret)}?${manager}`,
    body: json({ apiVersion: 'v1', kind: 'Secret', metadata: { name: secret.name }, data }),
    hidden: texts(data),
  }
}

/** An Event about a Pod. */
export type EventOfPod = {
  readonly type: 'Normal' | 'Warning'
  /** One word, for programs. */
  readonly reason: string
  readonly message: string
  readonly pod: { readonly name: string; readonly uid: string }
}

/** The API accepts no longer text. */
const longestMessage = 1024

export function createEvent(namespace: string, { type, reason, message, pod }: EventOfPod, at: Date): ApiRequest {
  const involvedObject = { apiVersion: 'v1', kind: 'Pod', namespace, name: pod.name, uid: pod.uid }
  const times = { firstTimestamp: at.toISOString(), lastTimestamp: at.toISOString(), count: 1 }
  return {
    verb: 'create',
    object: `Events in namespace "${namespace}"`,
    method: 'POST',
    once: true,
    path: `/api/v1/namespaces/${encodeURIComponent(namespace)}/events`,
    body: json({
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { generateName: `${pod.name}.` },
      involvedObject,
      type,
      reason,
      message: message.slice(0, longestMessage),
      source: { component: 'culvert' },
      ...times,
    }),
  }
}

export function review({ namespace, name }: SecretName, verb: ReviewedVerb): ApiRequest {
  const spec = { resourceAttributes: { namespace, verb, resource: 'secrets', name } }
  return {
    verb: 'create',
    object: `SelfSubjectAccessReview (${verb} on Secret "${name}")`,
    method: 'POST',
    path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
    body: json({ apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec }),
  }
}
