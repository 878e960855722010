import type { Clock } from '../../lib/clock.ts'
import { aborted } from '../../lib/timers.ts'
import type { Account } from '../../lib/transport.ts'
import { type CredentialFiles, type Proof, readCredentials } from './credentials.ts'
import { ApiError } from './error.ts'
import { askToken, authorizedBy, type Base } from './grant.ts'

/** A token is renewed this long before its end, but only in the last tenth of its time. */
const earlyMs = 60_000
/** Credentials that were refused are not sent again for this long unless their files change. */
const refusedMs = 30_000

type Known = { readonly token: string; readonly renewAt: number; readonly end: number }

/** The account by which the API is called: a token, fetched when it is needed and kept until shortly before its end. */
export function tokenAccount(base: Base, files: CredentialFiles, clock: Clock): Account {
  let known: Known | undefined
  let flight: Promise<Known> | undefined
  let refused: { readonly proof: Proof; readonly error: ApiError; readonly until: number } | undefined

  const fetch = async (): Promise<Known> => {
    const proof = await readCredentials(files)
    const isSame = refused?.proof.id === proof.id && refused.proof.secret === proof.secret
    if (refused && isSame && clock.now() < refused.until) throw refused.error
    refused = undefined
    const began = clock.now()
    try {
      const { token, seconds = Number.POSITIVE_INFINITY } = await askToken(base, files, proof, clock)
      const ms = seconds * 1000
      return { token, renewAt: began + Math.max(ms - earlyMs, ms * 0.9), end: began + ms }
    } catch (error) {
      if (error instanceof ApiError && error.problem === 'credentials')
        refused = { proof, error, until: clock.now() + refusedMs }
      throw error
    }
  }

  /** One request serves all calls that wait. */
  const renew = async (): Promise<Known> => {
    flight ??= fetch().finally(() => (flight = undefined))
    return flight
  }

  const current = async (): Promise<Known> => {
    if (known !== undefined && clock.now() < known.renewAt) return known
    try {
      known = await renew()
    } catch (error) {
      const isPassing = error instanceof ApiError && error.retryable
      if (!(isPassing && known !== undefined && clock.now() < known.end)) throw error
    }
    return known
  }

  return {
    credentials: async (signal) => {
      const ended = aborted(signal).then(() => Promise.reject(signal.reason))
      const { token } = await Promise.race([current(), ended])
      return authorizedBy('Bearer', token)
    },
    refused: ({ hidden }) => {
      if (known !== undefined && hidden.includes(known.token)) known = undefined
    },
  }
}
