import { lines } from '../lib/lines.ts'
import { maxAnswerBytes } from '../lib/transport.ts'
import { urlOf } from './endpoint.ts'
import { KubeError } from './error.ts'
import * as requests from './requests.ts'
import {
  type Listed,
  parseEvent,
  parseList,
  parseReview,
  parseSecret,
  type Secret,
  type WatchEvent,
} from './schemas.ts'
import { endpointOf, type InCluster, serviceAccount } from './service-account.ts'
import { transport } from './transport.ts'

export type { ReviewedVerb } from './requests.ts'
export type { Listed, Secret, SecretData, WatchEvent } from './schemas.ts'

/** The Kubernetes API calls that the agent makes. All reject with KubeError, also when `signal` aborts. */
export type KubeClient = {
  /** The Pod's own namespace, which all Secrets are in. Throws KubeError when the service account is not mounted. */
  readonly namespace: string
  /** The address at which the API is called if its name was not found; otherwise undefined. */
  readonly fallback: () => string | undefined
  /** Undefined if it does not exist. */
  readonly getSecret: (name: string, signal: AbortSignal) => Promise<Secret | undefined>
  /** Sets the keys in `change`, deletes those with null, and leaves the others. Gives the resulting Secret. */
  readonly patchSecret: (
    name: string,
    change: ReadonlyMap<string, string | null>,
    signal: AbortSignal,
  ) => Promise<Secret>
  /** Rejects with status 409 if it exists already. */
  readonly createSecret: (name: string, data: ReadonlyMap<string, string>, signal: AbortSignal) => Promise<Secret>
  /** Whether the API says that it would allow it. The answer is not binding: only an attempt shows. */
  readonly review: (verb: requests.ReviewedVerb, name: string, signal: AbortSignal) => Promise<boolean>
  readonly createEvent: (event: requests.EventOfPod, signal: AbortSignal) => Promise<void>
  readonly listSecret: (name: string, signal: AbortSignal) => Promise<Listed>
  /**
   * What happens to the Secret after `resourceVersion`, for `ms`; ends when the API ends it. Throws KubeError when the
   * API refuses to begin, and other errors when it breaks off or sends something else.
   */
  readonly watchSecret: (
    name: string,
    resourceVersion: string,
    ms: number,
    signal: AbortSignal,
  ) => AsyncGenerator<WatchEvent>
}

/** A watch that the API does not end in time is ended here, this many milliseconds later. */
const graceMs = 5000

/** The API of this Pod's cluster. Nothing is read or requested before the first call. */
export function kubeClient(cluster: InCluster, timeoutMs: number = 10_000): KubeClient {
  const account = serviceAccount(cluster.root)
  const { fallback: address, ...endpoint } = endpointOf(cluster)
  const { call, stream, fallback } = transport({ url: urlOf(endpoint), fallback: address }, account, timeoutMs)
  const called = (name: string): requests.SecretName => ({ namespace: account.namespace(), name })
  const read = async (name: string, signal: AbortSignal): Promise<Secret> =>
    call(requests.getSecret(called(name)), (text) => parseSecret(name, text), signal)

  return {
    get namespace() {
      return account.namespace()
    },
    fallback,
    getSecret: async (name, signal) => {
      try {
        return await read(name, signal)
      } catch (error) {
        // Only the API itself can say that it does not exist, not some proxy at this address.
        if (error instanceof KubeError && error.status === 404 && error.reason === 'NotFound') return undefined
        throw error
      }
    },
    patchSecret: async (name, change, signal) => {
      const parse = (text: string): Secret | undefined => (text === '' ? undefined : parseSecret(name, text))
      const after = await call(requests.patchSecret(called(name), change), parse, signal)
      // The API of upstream's test suite answers a patch with an empty body.
      return after ?? (await read(name, signal))
    },
    createSecret: async (name, data, signal) =>
      call(requests.createSecret(called(name), data), (text) => parseSecret(name, text), signal),
    review: async (verb, name, signal) => call(requests.review(called(name), verb), parseReview, signal),
    createEvent: async (event, signal) =>
      call(requests.createEvent(account.namespace(), event, new Date()), () => undefined, signal),
    listSecret: async (name, signal) =>
      call(requests.listSecret(called(name)), (text) => parseList(name, text), signal),
    watchSecret: async function* (name, resourceVersion, ms, signal) {
      const end = AbortSignal.any([signal, AbortSignal.timeout(ms + graceMs)])
      const answer = await stream(requests.watchSecret(called(name), resourceVersion, Math.ceil(ms / 1000)), end)
      for await (const line of lines(answer, maxAnswerBytes)) yield parseEvent(name, line)
    },
  }
}
