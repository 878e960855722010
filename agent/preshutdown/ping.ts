import type { LookupAddress } from 'node:dns'
import type { Resolver } from 'node:dns/promises'
import { type ClientRequest, request as http, type RequestOptions } from 'node:http'
import { isIP } from 'node:net'
import { describe } from '../../lib/errors.ts'
import { whenUnanswered } from '../../lib/unanswered.ts'
import type { Answerer, Mark } from './rounds.ts'

type Ping = {
  /** Addresses of the URL's host, as `addressesOf` gave them. */
  readonly addresses: readonly LookupAddress[]
  readonly mark: Mark
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/**
 * Addresses of a full name in both families; none if the host is an address. Asks the name server directly: the
 * system's resolver blocks one of the process's few threads for each unanswered name.
 * @throws Error of the resolver when there are none.
 */
export async function addressesOf({ hostname }: URL, resolver: Resolver): Promise<LookupAddress[]> {
  if (isIP(hostname.replaceAll(/[[\]]/g, '')) !== 0) return []
  const [v6, v4] = await Promise.allSettled([resolver.resolve6(hostname), resolver.resolve4(hostname)])
  const found = [
    ...(v6.status === 'fulfilled' ? v6.value.map((address) => ({ address, family: 6 })) : []),
    ...(v4.status === 'fulfilled' ? v4.value.map((address) => ({ address, family: 4 })) : []),
  ]
  if (found.length === 0 && v4.status === 'rejected') throw v4.reason
  return found
}

/**
 * Asks a health URL once, on its own connection, and only looks at who answers: status and body do not count, redirects
 * are not followed, and the certificate is not verified. Never rejects.
 */
export async function ping(url: URL, { addresses, mark, timeoutMs, signal }: Ping): Promise<Answerer> {
  const lookup: RequestOptions['lookup'] = (_host, _options, found) => found(null, [...addresses])
  const options = { agent: false, signal, lookup, rejectUnauthorized: false } as const
  const send = url.protocol === 'https:' ? (await import('node:https')).request : http
  return new Promise((resolve) => {
    const nobody = (problem: string): void => resolve({ from: 'nobody', problem })
    const outgoing: ClientRequest = send(url, options)
    const timer = setTimeout(() => outgoing.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)), timeoutMs)
    outgoing.on('response', (answer) => {
      resolve({ from: answer.headers[mark.header] === mark.value ? 'here' : 'elsewhere' })
      answer.destroy()
    })
    outgoing.on('error', (error) => (isRefused(error) ? resolve({ from: 'elsewhere' }) : nobody(describe(error))))
    outgoing.on('close', () => clearTimeout(timer))
    whenUnanswered(outgoing, (error) => nobody(error.message))
    outgoing.end()
  })
}

/** With addresses of both families one refusal is enough: the other family may not be usable here. */
const isRefused = (error: Error): boolean =>
  error instanceof AggregateError
    ? error.errors.some(isRefused)
    : (error as NodeJS.ErrnoException).code === 'ECONNREFUSED'
