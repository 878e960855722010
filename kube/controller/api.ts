import { lines } from '../../lib/lines.ts'
import { TooLarge } from '../../lib/read-body.ts'
import { KubeError, misunderstood } from '../error.ts'
import type { ApiRequest } from '../requests.ts'
import type { Transport } from '../transport.ts'
import { type Page, parseDeleted, parseEvent, parseObject, parsePage, parseTried, type WatchEvent } from './answers.ts'
import type { KubeObject, Name } from './object.ts'
import { allInWords, collectionPath, inWords, objectPath, type Resource, type Scope } from './resource.ts'

export type { Page, WatchEvent } from './answers.ts'

/** Calls of the Kubernetes API for any kind, in plain JSON. All reject with KubeError, also when `signal` aborts. */
export type Api = {
  /** Up to `limit` objects, the first or those after `next`. A page of too many bytes is asked for again in parts. */
  readonly page: (
    resource: Resource,
    options: { readonly scope: Scope; readonly limit: number; readonly next?: string | undefined },
    signal: AbortSignal,
  ) => Promise<Page>
  /**
   * What happens after `version`, for `seconds`; ends when the API ends it. Throws KubeError with a status when the API
   * refuses or ends it with an error, KubeError without one when it cannot be reached, and other errors when the stream
   * breaks off.
   */
  readonly watch: (
    resource: Resource,
    options: { readonly scope: Scope; readonly version: string; readonly seconds: number },
    signal: AbortSignal,
  ) => AsyncGenerator<WatchEvent>
  /** Undefined if it does not exist. */
  readonly get: (resource: Resource, name: Name, signal: AbortSignal) => Promise<KubeObject | undefined>
  readonly create: (resource: Resource, object: KubeObject, signal: AbortSignal) => Promise<KubeObject>
  /** Rejects with a conflict, 409, also when a `test` of a JSON patch failed or the object has another uid. */
  readonly patch: (resource: Resource, name: Name, patch: Patch, signal: AbortSignal) => Promise<KubeObject>
  /**
   * Deletes the object with this uid: another one of the same name stays. Gives the object if it goes on existing for
   * now, as something has to be done before; undefined if it is gone, or was.
   */
  readonly delete: (
    resource: Resource,
    name: Name & { readonly uid: string },
    options: { readonly propagation: 'Foreground' | 'Background' },
    signal: AbortSignal,
  ) => Promise<KubeObject | undefined>
}

export type Patch = {
  readonly type: 'apply' | 'json' | 'merge'
  readonly body: unknown
  readonly subresource?: string | undefined
  /** The field manager. */
  readonly manager: string
  /** Take over fields of other managers; for `apply`. */
  readonly force?: boolean
  /** Texts in the body that no message may repeat. */
  readonly hidden?: readonly string[]
}

const types = {
  apply: 'application/apply-patch+yaml',
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
}

/** What the API says when a `test` in a JSON patch failed, and when the object of a patch has another uid by now. */
const meansConflict = /error in our request|metadata\.uid: Invalid value/

/** An error as a conflict, if it was one though the API says only that it could not process the patch. */
function asConflict(error: unknown): unknown {
  if (!(error instanceof KubeError) || error.status !== 422 || !meansConflict.test(error.message)) return error
  return new KubeError(error.message, { status: 409, reason: 'Conflict', retryable: true, cause: error })
}

/** An answer with one object: etcd takes 1.5 MiB, and JSON may have more than the stored form. */
const objectBytes = 8 * 1024 * 1024
/** An answer with many; a larger one is asked for in smaller pages. */
const pageBytes = 32 * 1024 * 1024

export type ApiOptions = {
  /** The path of the server's URL, without a slash at the end. */
  readonly prefix?: string | undefined
  /** Writes are checked and answered as if they were done, and nothing is kept. */
  readonly isDryRun?: boolean
}

export function kubeApi(
  { call, stream }: Pick<Transport, 'call' | 'stream'>,
  { prefix = '', isDryRun = false }: ApiOptions = {},
): Api {
  const dryRun = isDryRun ? 'All' : undefined
  const parseWritten = isDryRun ? parseTried : parseObject
  const query = (values: Readonly<Record<string, string | number | boolean | undefined>>): string => {
    const given = Object.entries(values).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, String(value)] as const],
    )
    return given.length === 0 ? '' : `?${new URLSearchParams(Object.fromEntries(given)).toString()}`
  }
  const selected = ({ labels, fields }: Scope) => ({ labelSelector: labels, fieldSelector: fields })
  const json = (value: unknown, type = 'application/json') => ({ type, text: JSON.stringify(value) })
  const one = (request: ApiRequest): ApiRequest => ({ maxBytes: objectBytes, ...request, path: prefix + request.path })

  const page: Api['page'] = async (resource, { scope, limit, next }, signal) => {
    const request: ApiRequest = {
      verb: 'list',
      object: allInWords(resource, scope),
      method: 'GET',
      maxBytes: pageBytes,
      path: `${prefix}${collectionPath(resource, scope.namespace)}${query({ ...selected(scope), limit, continue: next })}`,
    }
    try {
      return await call(request, (text) => parsePage(resource, text), signal)
    } catch (error) {
      if (!(error instanceof KubeError && error.cause instanceof TooLarge) || limit === 1) throw error
      return await page(resource, { scope, limit: Math.ceil(limit / 4), next }, signal)
    }
  }

  return {
    page,
    watch: async function* (resource, { scope, version, seconds }, signal) {
      const watched = { watch: true, allowWatchBookmarks: true, timeoutSeconds: seconds, resourceVersion: version }
      const request: ApiRequest = {
        verb: 'watch',
        object: allInWords(resource, scope),
        method: 'GET',
        path: `${prefix}${collectionPath(resource, scope.namespace)}${query({ ...selected(scope), ...watched })}`,
      }
      const answer = await stream(request, signal)
      yield { type: 'open' }
      for await (const line of lines(answer, objectBytes)) {
        let event: WatchEvent
        try {
          event = parseEvent(resource, line)
        } catch (cause) {
          throw cause instanceof KubeError ? cause : misunderstood(request, 200, cause)
        }
        yield event
      }
    },
    get: async (resource, name, signal) => {
      const request = {
        verb: 'get',
        object: inWords(resource, name),
        method: 'GET',
        path: objectPath(resource, name),
      } as const
      return unlessGone(call(one(request), (text) => parseObject(resource, text), signal))
    },
    create: (resource, object, signal) => {
      const { metadata } = object
      const request: ApiRequest = {
        verb: 'create',
        object: inWords(resource, metadata),
        method: 'POST',
        once: true,
        path: `${collectionPath(resource, metadata.namespace)}${query({ dryRun })}`,
        body: json(object),
      }
      return call(one(request), (text) => parseWritten(resource, text), signal)
    },
    patch: async (resource, name, { type, body, subresource, manager, force, hidden = [] }, signal) => {
      const request: ApiRequest = {
        verb: 'patch',
        object: inWords(resource, name),
        method: 'PATCH',
        path: `${objectPath(resource, name, subresource)}${query({ fieldManager: manager, force, dryRun })}`,
        body: json(body, types[type]),
        hidden,
      }
      try {
        return await call(one(request), (text) => parseWritten(resource, text), signal)
      } catch (error) {
        throw asConflict(error)
      }
    },
    delete: (resource, { uid, ...name }, { propagation }, signal) => {
      const options = {
        apiVersion: 'v1',
        kind: 'DeleteOptions',
        propagationPolicy: propagation,
        preconditions: { uid },
      }
      const request: ApiRequest = {
        verb: 'delete',
        object: inWords(resource, name),
        method: 'DELETE',
        path: `${objectPath(resource, name)}${query({ dryRun })}`,
        body: json(options),
      }
      return unlessGone(call(one(request), (text) => parseDeleted(resource, text), signal))
    },
  }
}

/** Undefined if the API itself, not some proxy at its address, says that the object does not exist. */
async function unlessGone<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof KubeError && error.status === 404 && error.reason === 'NotFound') return undefined
    throw error
  }
}
