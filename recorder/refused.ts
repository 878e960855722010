import { RefusedWith } from '../lib/refused.ts'

/** Why something is refused or broken off, for metrics. */
export const refusedFor = [
  'unknown-peer', // tailscaled knows nobody at the address
  'unconfirmed-peer', // tailscaled could not be asked
  'policy', // the tailnet's policy lets the device see nothing
  'foreign-page', // a page of another site, in a browser on the device
  'malformed', // it is no recording, no event, or no request
  'gone', // the uploader went away in the middle, or takes no answers
  'limit', // it is larger than allowed
  'storage', // it cannot be stored
  'stopping', // the recorder ends
  'internal', // a bug in the recorder
] as const
export type RefusedFor = (typeof refusedFor)[number]

/** An upload that is refused, or not taken to its end. */
export class Refused extends RefusedWith<number, RefusedFor> {}

/** An error as a refusal; what is not one is a bug, of which the uploader learns nothing. */
export const asRefused = (error: unknown): Refused =>
  error instanceof Refused ? error : new Refused(500, 'internal', 'the recorder has failed', error)
