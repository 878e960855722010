import { CulvertError } from '../lib/errors.ts'
import { quote } from '../lib/quote.ts'

/** Operators write three for each replica. */
const most = 1000

/**
 * Reads the mounted file `hep-pings`: how often a health URL is asked in one round.
 * @throws CulvertError `settings` unless it is a whole number from 0 to 1,000, in white space or not
 */
export function parseHealthPings(bytes: Buffer): number {
  const text = bytes.toString('utf8').trim()
  const pings = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (pings <= most) return pings
  throw new CulvertError('settings', `${quote(text)} is no whole number from 0 to ${most}`)
}

/** The text of that file; larger numbers than the agent accepts are cut. */
export const renderHealthPings = (pings: number): string => String(Math.min(pings, most))
