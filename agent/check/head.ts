import { request as plain } from 'node:http'
import { request as encrypted } from 'node:https'
import type { Clock } from '../../lib/clock.ts'

/** What is needed of an answer. */
export type Head = { readonly status: number; readonly date: Date | undefined }

/** How long a server may take, in ms. */
const longest = 10_000

type Options = {
  /** Whether the certificate must be good, which it is not where the clock is wrong. */
  readonly trust: boolean
  /** The authorities to trust, PEM, instead of Node’s. */
  readonly ca?: string | undefined
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** Asks for a URL, without credentials, and reads the head of the answer. Rejects if there is none in time. */
export function headOf(url: string, { trust, ca, clock, signal }: Options): Promise<Head> {
  return new Promise((resolve, reject) => {
    const options = { method: 'GET', agent: false, signal } as const
    const outgoing = url.startsWith('https:')
      ? encrypted(url, { ...options, rejectUnauthorized: trust, ...(ca !== undefined && { ca }) })
      : plain(url, options)
    const over = new AbortController()
    clock.after(longest, over.signal, () => outgoing.destroy(new Error(`no answer within ${longest / 1000} s`)))
    outgoing.on('close', () => over.abort())
    outgoing.on('error', reject)
    outgoing.on('response', (answer) => {
      const date = new Date(answer.headers.date ?? '')
      resolve({ status: answer.statusCode ?? 0, date: Number.isNaN(date.getTime()) ? undefined : date })
      answer.destroy()
    })
    outgoing.end()
  })
}
