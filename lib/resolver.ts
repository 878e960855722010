import { promises as dns } from 'node:dns'
import { type Address, type Family, parseAddress } from './address.ts'
import { codeOf, describe } from './errors.ts'

/** What resolvers said of one name and one family. */
export type DnsAnswer =
  /** Each address once; `ttl` is the shortest of the answer, in seconds. At least one address. */
  | { readonly kind: 'addresses'; readonly addresses: readonly Address[]; readonly ttl: number }
  /** There are none; `exists` says whether the name has other records, or may have. */
  | { readonly kind: 'none'; readonly exists: boolean }
  /** Nothing can be said of it. */
  | { readonly kind: 'failed'; readonly reason: string }

/** The question for the addresses of exactly this name. */
export type DnsQuestion = { readonly servers: readonly string[]; readonly name: string; readonly family: Family }

/** Asks the first server that can answer. Never rejects; a question that is aborted has failed. */
export type AskDns = (question: DnsQuestion, signal: AbortSignal) => Promise<DnsAnswer>

/** How often a server is asked, and for how long its first answer is waited for, in ms; the next one twice as long. */
const tries = 2
const timeout = 1000

/** More than any name should have: each becomes part of a rule. */
export const mostAddresses = 1000

/**
 * Asks by Node's c-ares, which sends each question from another port, takes no answer to another question or from
 * another server, and asks again by TCP what was truncated. It knows neither search lists nor /etc/hosts here, and
 * keeps no answer.
 */
export const askDns: AskDns = async ({ servers, name, family }, signal) => {
  const reasons: string[] = []
  for (const server of servers) {
    const answer = await askServer(server, name, family, signal)
    if (answer.kind !== 'failed') return answer
    reasons.push(`${server}: ${answer.reason}`)
  }
  return { kind: 'failed', reason: reasons.join('; ') }
}

async function askServer(server: string, name: string, family: Family, signal: AbortSignal): Promise<DnsAnswer> {
  const resolver = new dns.Resolver({ timeout, tries })
  const cancel = (): void => resolver.cancel()
  signal.addEventListener('abort', cancel, { once: true })
  try {
    signal.throwIfAborted()
    resolver.setServers([server])
    return answerOf(
      await (family === 4 ? resolver.resolve4(name, { ttl: true }) : resolver.resolve6(name, { ttl: true })),
    )
  } catch (error) {
    return failureOf(error)
  } finally {
    signal.removeEventListener('abort', cancel)
  }
}

function answerOf(records: readonly { readonly address: string; readonly ttl: number }[]): DnsAnswer {
  const addresses = new Map<string, Address>()
  for (const record of records) {
    const address = parseAddress(record.address)
    if (address !== undefined) addresses.set(address.text, address)
  }
  if (addresses.size === 0) return { kind: 'none', exists: true }
  if (addresses.size > mostAddresses) {
    return { kind: 'failed', reason: `the answer has ${addresses.size} addresses, more than ${mostAddresses}` }
  }
  // RFC 2181 has a lifetime beyond 2³¹ − 1 count as 0.
  const lifetimes = records.map(({ ttl }) => (ttl < 2 ** 31 ? ttl : 0))
  return { kind: 'addresses', addresses: [...addresses.values()], ttl: Math.min(...lifetimes) }
}

const failures: Readonly<Record<string, string>> = {
  ESERVFAIL: 'it could not find out (SERVFAIL)',
  EREFUSED: 'it refused to answer (REFUSED)',
  EFORMERR: 'it did not understand the question (FORMERR)',
  ENOTIMP: 'it does not know such questions (NOTIMP)',
  ETIMEOUT: 'no answer',
  ECONNREFUSED: 'nothing listens there',
  EBADRESP: 'its answer is no DNS message',
}

function failureOf(error: unknown): DnsAnswer {
  const code = codeOf(error) ?? ''
  if (code === 'ENOTFOUND') return { kind: 'none', exists: false }
  if (code === 'ENODATA') return { kind: 'none', exists: true }
  return { kind: 'failed', reason: failures[code] ?? describe(error) }
}
