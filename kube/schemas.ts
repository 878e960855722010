import * as z from 'zod/mini'
import { optional, parseJson } from '../lib/json.ts'

/** Decoded values by key. */
export type SecretData = ReadonlyMap<string, Buffer>

export type Secret = {
  readonly name: string
  /** Changes whenever the Secret does. Empty if the answer has none: then changes cannot be detected. */
  readonly resourceVersion: string
  readonly data: SecretData
  /** Keys whose value is not base64: they are missing in `data`. */
  readonly undecodable: readonly string[]
}

/** A Secret (undefined: absent) at a point in the cluster's history from which a watch can continue. */
export type Listed = { readonly secret: Secret | undefined; readonly resourceVersion: string }

/** A watch event: the present Secret, or only that time has passed. */
export type WatchEvent = Listed | { readonly resourceVersion: string }

/** The API's explanation of a refusal. */
export type Status = { readonly message?: string | null | undefined; readonly reason?: string | null | undefined }

const version = z.string().check(z.minLength(1))
const secretSchema = z.object({
  kind: z.optional(z.literal('Secret')),
  metadata: z.optional(z.object({ name: z.string(), resourceVersion: version })),
  data: optional(z.record(z.string(), z.string())),
})
const marked = z.object({ resourceVersion: version })
const listSchema = z.object({ metadata: marked, items: optional(z.array(secretSchema)) })
const eventSchema = z.object({ type: z.string(), object: z.unknown() })
const bookmarkSchema = z.object({ metadata: marked })
const statusSchema = z.object({
  kind: z.literal('Status'),
  message: optional(z.string()),
  reason: optional(z.string()),
})
const reviewSchema = z.object({ status: z.object({ allowed: z.boolean() }) })

/** The Secret `name` as the API answers it. @throws Error when it is something else. */
export const parseSecret = (name: string, text: string): Secret => secretOf(name, read(secretSchema, valueOf(text)))

/** What a list of the Secrets called `name` says. @throws Error when it is something else. */
export function parseList(name: string, text: string): Listed {
  const { metadata, items } = read(listSchema, valueOf(text))
  const found = items?.find((item) => item.metadata?.name === name)
  return { secret: found && secretOf(name, found), resourceVersion: metadata.resourceVersion }
}

/** One line of a watch for `name`. @throws Error when it is something else, or the reason why the watch ends. */
export function parseEvent(name: string, line: string): WatchEvent {
  const { type, object } = read(eventSchema, parseJson(line))
  if (type === 'ERROR') throw new Error(`the watch ended: ${statusOf(object)?.message ?? 'it does not say why'}`)
  const { resourceVersion } = read(bookmarkSchema, object).metadata
  if (type === 'BOOKMARK') return { resourceVersion }
  const secret = secretOf(name, read(secretSchema, object))
  return { secret: type === 'DELETED' ? undefined : secret, resourceVersion }
}

/** The API's explanation in the body of an error; undefined when it is something else, such as a proxy's page. */
export function parseStatus(text: string): Status | undefined {
  return statusOf(parseJson(text))
}

/** Whether a SelfSubjectAccessReview allows what it asks. @throws Error when it is something else. */
export const parseReview = (text: string): boolean => read(reviewSchema, valueOf(text)).status.allowed

const statusOf = (value: unknown): Status | undefined => z.safeParse(statusSchema, value).data

function secretOf(name: string, { metadata, data }: z.infer<typeof secretSchema>): Secret {
  if (metadata === undefined && !data) throw new Error('it has neither metadata nor data')
  if (metadata !== undefined && metadata.name !== name) throw new Error('it is about another Secret')
  const decoded = new Map<string, Buffer>()
  const undecodable: string[] = []
  for (const [key, text] of Object.entries(data ?? {})) {
    const value = Buffer.from(text, 'base64')
    if (value.toString('base64') === text) decoded.set(key, value)
    else undecodable.push(key)
  }
  return { name, resourceVersion: metadata?.resourceVersion ?? '', data: decoded, undecodable }
}

/** @throws Error which repeats nothing of the value: it may be a Secret's. */
function read<T extends z.ZodMiniType>(schema: T, value: unknown): z.output<T> {
  const parsed = z.safeParse(schema, value)
  if (!parsed.success) throw new Error(z.prettifyError(parsed.error))
  return parsed.data
}

/** @throws Error as `read` does */
function valueOf(text: string): unknown {
  const value = parseJson(text)
  if (value === undefined) throw new Error(text === '' ? 'it is empty' : 'it is not JSON')
  return value
}
