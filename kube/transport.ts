import { pauseBeforeRetry } from '../lib/retry.ts'
import {
  type Account,
  type Dialect,
  transport as httpTransport,
  type Transport as HttpTransport,
  type TransportOptions,
} from '../lib/transport.ts'
import { type Endpoint, urlOf } from './endpoint.ts'
import { misunderstood, refusal, unanswered } from './error.ts'
import type { ApiRequest } from './requests.ts'

/** Where the API is, without a path; `fallback` is used if the name in the URL is not found. */
export type Server = { readonly url: string; readonly fallback?: Endpoint | undefined }

/** Both kinds of requests reject with KubeError unless an answer of status 2xx can be used. */
export type Transport = Pick<HttpTransport<ApiRequest>, 'call' | 'stream'> & {
  /** The URL that is used instead, since the name was not found. */
  readonly fallback: () => string | undefined
}

/** The Kubernetes API over HTTP. `timeoutMs` is for a call as a whole, including what is sent again (retry.ts). */
export function transport(
  { url, fallback }: Server,
  account: Account,
  timeoutMs: number,
  options?: TransportOptions<ApiRequest>,
): Transport {
  const dialect: Dialect<ApiRequest> = {
    refusal: (request, { status, body, hidden }) => refusal(request, status, body, hidden),
    unanswered,
    misunderstood,
    pause: pauseBeforeRetry,
  }
  const { call, stream, usesFallback } = httpTransport({ url, fallback }, account, timeoutMs, dialect, options)
  return { call, stream, fallback: () => (fallback && usesFallback() ? urlOf(fallback) : undefined) }
}
