import * as z from 'zod/mini'
import { optional, parseJson } from '../../lib/json.ts'
import { KubeError } from '../error.ts'
import { apiVersionOf, type Resource } from './resource.ts'
import type { KubeObject } from './object.ts'

/** A page of a list. */
export type Page = {
  readonly objects: readonly KubeObject[]
  /** From where a watch can go on, if this is the last page. */
  readonly version: string
  /** Undefined on the last page. */
  readonly next: string | undefined
}

/** What a watch tells: that it has begun, and then its lines, each with the version from which the next goes on. */
export type WatchEvent =
  | { readonly type: 'open' }
  | { readonly type: 'set' | 'remove'; readonly object: KubeObject; readonly version: string }
  | { readonly type: 'bookmark'; readonly version: string }

// Only what is used here is checked, and everything else stays as it is.
const version = z.string().check(z.minLength(1))
const objectSchema = z.looseObject({ metadata: z.looseObject({ name: z.string(), resourceVersion: version }) })
const triedSchema = z.looseObject({ metadata: z.looseObject({ name: z.string() }) })
const pageSchema = z.object({
  metadata: z.object({ resourceVersion: version, continue: optional(z.string()) }),
  items: optional(z.array(objectSchema)),
})
const eventSchema = z.object({ type: z.string(), object: z.unknown() })
const bookmarkSchema = z.object({ metadata: z.object({ resourceVersion: version }) })
const statusSchema = z.object({
  code: optional(z.number()),
  message: optional(z.string()),
  reason: optional(z.string()),
})

/** @throws Error when it is something else */
export function parsePage(resource: Resource, text: string): Page {
  const { metadata, items } = read(pageSchema, parseJson(text))
  return {
    objects: (items ?? []).map((item) => named(resource, item)),
    version: metadata.resourceVersion,
    next: metadata.continue === '' ? undefined : (metadata.continue ?? undefined),
  }
}

/** @throws Error when it is something else */
export const parseObject = (resource: Resource, text: string): KubeObject =>
  named(resource, read(objectSchema, parseJson(text)))

/** The same of a write that was only tried: an object that would be new has no version. @throws Error as that */
export const parseTried = (resource: Resource, text: string): KubeObject =>
  named(resource, read(triedSchema, parseJson(text)))

/** The object in the answer to a deletion, if it is still there; undefined when it is gone. @throws Error otherwise */
export function parseDeleted(resource: Resource, text: string): KubeObject | undefined {
  const value = parseJson(text)
  if (z.safeParse(z.looseObject({ kind: z.literal('Status') }), value).success) return undefined
  const object = named(resource, read(objectSchema, value))
  return object.metadata.deletionTimestamp === undefined ? undefined : object
}

/** @throws KubeError with the reason why the watch ends, and Error when the line is something else */
export function parseEvent(resource: Resource, line: string): Exclude<WatchEvent, { type: 'open' }> {
  const { type, object } = read(eventSchema, parseJson(line))
  if (type === 'ERROR') throw endOf(resource, object)
  const { resourceVersion } = read(bookmarkSchema, object).metadata
  if (type === 'BOOKMARK') return { type: 'bookmark', version: resourceVersion }
  return {
    type: type === 'DELETED' ? 'remove' : 'set',
    object: named(resource, read(objectSchema, object)),
    version: resourceVersion,
  }
}

/** Items of a list do not name their kind. */
const named = (resource: Resource, object: z.infer<typeof triedSchema>): KubeObject => ({
  apiVersion: apiVersionOf(resource),
  kind: resource.kind,
  ...object,
})

function endOf({ plural }: Resource, object: unknown): KubeError {
  const { code, message, reason } = z.safeParse(statusSchema, object).data ?? {}
  return new KubeError(`the watch of ${plural} ended: ${message ?? 'it does not say why'}`, {
    status: code ?? 500,
    reason: reason ?? undefined,
    retryable: true,
  })
}

/** @throws Error which repeats nothing of the value: it may be a Secret's. */
function read<T extends z.ZodMiniType>(schema: T, value: unknown): z.output<T> {
  const parsed = z.safeParse(schema, value)
  if (!parsed.success) throw new Error(z.prettifyError(parsed.error))
  return parsed.data
}
