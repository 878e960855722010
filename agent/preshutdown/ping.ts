import type { LookupAddress } from 'node:dns'
import type { Resolver } from 'node:dns/promises'
import { type ClientRequest, request as http, type RequestOptions } from 'node:http'
import { isIP } from 'node:net'
import { describe } from '../../lib/errors.ts'
import { whenUnanswered } from '../../lib/unanswered.ts'
import type { Answerer, Mark } from './rounds.ts'

type Ping = {
  /** Where the URL's host is, as `addressesOf` gave it. */
  readonly addresses: readonly LookupAddress[]
  readonly mark: Mark
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/**
 * Addresses of both families of a full name; none for what is an address itself. They are asked of the name server
 * directly: the system's resolver keeps one of the process' few threads busy for each name that is not answered.
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
 * Asks a health URL once, on a connection of its own, and looks at nothing but who answers: neither status nor body
 * count, redirects are not followed, and a certificate proves nothing that matters here. Never rejects.
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

/** Of both addresses of a name, one that refuses tells enough: the family of the other may not be usable here. */
const isRefused = (error: Error): boolean =>
  error instanceof AggregateError
    ? error.errors.some(isRefused)
    : (error as NodeJS.ErrnoException).code === 'ECONNREFUSED'
