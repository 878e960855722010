import { type Answer, askOnce } from '../lib/http-client.ts'
import { parseJson } from '../lib/json.ts'
import { readBody } from '../lib/read-body.ts'
import { parseCapability } from '../wire/capability-version.ts'
import { LocalApiError, Refusal } from './error.ts'

/** Larger answers are refused: without peers the largest has some MB. */
const maxBodyBytes = 16 * 1024 * 1024

/** An open LocalAPI stream: status 200 was received, the body follows. Rejects with LocalApiError. */
export type Stream = AsyncIterable<Buffer>

/** The methods of LocalAPI, as a narrow interface that tests can replace. */
export type LocalApi = {
  /**
   * The body of a 200 answer as text. Rejects with LocalApiError, also after `timeoutMs`; with `halfClose` our half of
   * the connection is closed then, so that tailscaled gives up and reports what was blocking it.
   */
  readonly get: (
    path: string,
    signal: AbortSignal,
    timeoutMs?: number,
    options?: { readonly halfClose: boolean },
  ) => Promise<string>
  /** As `get`, for requests that change something. */
  readonly post: (path: string, signal: AbortSignal, timeoutMs?: number) => Promise<string>
  /** Changes the fields in `change`, as JSON. */
  readonly patch: (path: string, change: object, signal: AbortSignal, timeoutMs?: number) => Promise<string>
  /** Opens an endless answer; only its head has a time limit. */
  readonly stream: (path: string, signal: AbortSignal, timeoutMs?: number) => Promise<Stream>
}

/** Values with a version, so that only a value that was read is replaced. */
export type TaggedApi = {
  /** As `get`, with the answer's ETag, which is empty if there is none. */
  readonly getTagged: (path: string, signal: AbortSignal) => Promise<{ readonly text: string; readonly etag: string }>
  /**
   * Replaces the value by `value`, as JSON; refused with status 412 unless the present one has that ETag, or `etag` is
   * empty.
   */
  readonly replace: (path: string, value: object, etag: string, signal: AbortSignal) => Promise<void>
}

type Method = 'GET' | 'POST' | 'PATCH'

/** `halfClose` aborts when the caller no longer waits for the answer, unless it comes at once. */
type Extras = { readonly body?: string | null; readonly etag?: string; readonly halfClose?: AbortSignal }

const defaultTimeoutMs = 10_000
/** How long tailscaled may take to report why it gave up, in milliseconds. */
const halfCloseGraceMs = 5000

/**
 * LocalAPI on the unix socket at `socketPath`. One connection per request. `told` gets tailscaled's capability version,
 * which each answer has.
 */
export function localApi(socketPath: string, told: (capability: number) => void = () => {}): LocalApi & TaggedApi {
  const call = async (
    method: Method,
    path: string,
    signal: AbortSignal,
    { body = null, etag = '', halfClose }: Extras = {},
  ): Promise<Answer> => {
    const headers = etag === '' ? {} : { 'If-Match': etag }
    // Any other Host is refused with 403, as is any Origin or Referer.
    const server = { socketPath, host: 'local-tailscaled.sock' }
    const request = { method, path: `/localapi/v0/${path}`, headers, body, signal }
    const answer = await askOnce(server, request, halfClose)
    const capability = parseCapability(answer.header('tailscale-cap'))
    if (capability !== undefined) told(capability)
    if (answer.status === 200) return answer
    const words = errorText(await readBody(answer.body, maxBodyBytes))
    throw new Refusal(answer.status, words, answer.header('retry-after'))
  }

  const askTagged = async (
    method: Method,
    path: string,
    signal: AbortSignal,
    timeoutMs = defaultTimeoutMs,
    extras?: Extras,
  ): Promise<{ text: string; etag: string }> => {
    const limit = AbortSignal.timeout(timeoutMs)
    try {
      const answer = await call(method, path, AbortSignal.any([signal, limit]), extras)
      return { text: await readBody(answer.body, maxBodyBytes), etag: answer.header('etag') ?? '' }
    } catch (error) {
      throw failure(path, limit.aborted ? tooLate(timeoutMs) : error)
    }
  }
  const ask = async (...question: Parameters<typeof askTagged>): Promise<string> => (await askTagged(...question)).text

  return {
    get: (path, signal, timeoutMs = defaultTimeoutMs, { halfClose } = { halfClose: false }) =>
      halfClose
        ? ask('GET', path, signal, timeoutMs + halfCloseGraceMs, { halfClose: AbortSignal.timeout(timeoutMs) })
        : ask('GET', path, signal, timeoutMs),
    post: (path, signal, timeoutMs) => ask('POST', path, signal, timeoutMs),
    patch: (path, change, signal, timeoutMs) => ask('PATCH', path, signal, timeoutMs, { body: JSON.stringify(change) }),
    getTagged: (path, signal) => askTagged('GET', path, signal),
    replace: async (path, value, etag, signal) => {
      await ask('POST', path, signal, defaultTimeoutMs, { body: JSON.stringify(value), etag })
    },
    stream: async (path, signal, timeoutMs = defaultTimeoutMs) => {
      // The time limit must not outlive the head, so that its timer must be clearable.
      const head = new AbortController()
      const timer = setTimeout(() => head.abort(), timeoutMs)
      try {
        return guard(path, await call('GET', path, AbortSignal.any([signal, head.signal])))
      } catch (error) {
        throw failure(path, head.signal.aborted ? tooLate(timeoutMs) : error)
      } finally {
        clearTimeout(timer)
      }
    },
  }
}

const failure = (path: string, cause: unknown): LocalApiError =>
  new LocalApiError(`LocalAPI ${path.split('?')[0]} failed`, cause)

/** With the system's error code. */
const tooLate = (ms: number): Error =>
  Object.assign(new Error(`no answer within ${ms / 1000} s`), { code: 'ETIMEDOUT' })

async function* guard(path: string, { body }: Answer): AsyncGenerator<Buffer> {
  try {
    yield* body
  } catch (error) {
    throw failure(path, error)
  }
}

/** Errors are plain text, or JSON with `error` or `Error`, by endpoint. */
function errorText(body: string): string {
  const parsed = parseJson(body)
  if (typeof parsed === 'object' && parsed !== null) {
    for (const [key, value] of Object.entries(parsed)) {
      if (key.toLowerCase() === 'error' && typeof value === 'string' && value !== '') return value
    }
  }
  return body.trim().slice(0, 2000)
}
