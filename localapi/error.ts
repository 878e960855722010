import { CulvertError } from '../lib/errors.ts'

/** What the system calls it when nobody listens, or nothing comes back in time. */
const silences = new Set(['ENOENT', 'ECONNREFUSED', 'ETIMEDOUT'])

/** A call of LocalAPI that failed; code `localapi`. */
export class LocalApiError extends CulvertError {
  /** tailscaled is not there, or does not answer at all; otherwise it does, but not as documented. */
  readonly silent: boolean

  constructor(message: string, cause: unknown) {
    super('localapi', message, { cause })
    this.name = 'LocalApiError'
    this.silent = silences.has((cause as NodeJS.ErrnoException).code ?? '')
  }
}
