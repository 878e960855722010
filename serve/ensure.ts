import { isDeepStrictEqual } from 'node:util'
import { CulvertError } from '../lib/errors.ts'
import type { TaggedApi } from '../localapi/client.ts'
import { LocalApiError } from '../localapi/error.ts'
import { getServeConfig, isConflict, type Served, setServeConfig } from '../localapi/serve-config.ts'
import { entriesOf, type ServeConfig } from '../wire/serve-config.ts'
import { serveSteps } from './steps.ts'

/** Somebody else who changes it again and again must not be fought. */
const mostRounds = 5

/** What tailscaled served when it was looked at, and whether that had to be changed. */
export type Ensured = { readonly found: Served['config']; readonly changed: boolean }

/**
 * Has tailscaled serve `desired` and nothing else, and reads that back; does nothing where it does already. What others
 * write meanwhile is looked at again, never overwritten unseen. `anew` as in `serveSteps`.
 * @throws CulvertError `localapi` when it refuses, and then serves what it did; `not-held` when it holds something else
 */
export async function ensureServed(
  api: TaggedApi,
  desired: ServeConfig,
  anew: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<Ensured> {
  for (let round = 1; ; round += 1) {
    try {
      return await attempt(api, desired, anew, signal)
    } catch (error) {
      if (!isConflict(error) || round === mostRounds) throw error
    }
  }
}

async function attempt(
  api: TaggedApi,
  desired: ServeConfig,
  anew: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<Ensured> {
  const found = await getServeConfig(api, signal)
  const steps = serveSteps(found.config, desired, anew)
  let now = found
  for (const step of steps) {
    try {
      await setServeConfig(api, step, now.etag, signal)
    } catch (error) {
      if (!(error instanceof LocalApiError) || error.refusal === undefined || isConflict(error)) throw error
      // What was taken away for this is served again.
      if (now !== found) await setServeConfig(api, found.config, now.etag, signal)
      throw new CulvertError('localapi', 'tailscaled refuses to serve what the serve config says', {
        cause: error.refusal,
        remedy: 'It goes on with what it served before.',
      })
    }
    now = await getServeConfig(api, signal)
    if (!isDeepStrictEqual(now.config, step)) throw notHeld(now.config, step)
  }
  return { found: found.config, changed: steps.length > 0 }
}

function notHeld(held: ServeConfig, wanted: ServeConfig): CulvertError {
  const [now, due] = [entriesOf(held), entriesOf(wanted)]
  const differing = [...new Set([...now.keys(), ...due.keys()])].filter(
    (entry) => !isDeepStrictEqual(now.get(entry), due.get(entry)),
  )
  const some = `${differing.slice(0, 3).join(', ')}${differing.length > 3 ? ` and ${differing.length - 3} more` : ''}`
  return new CulvertError(
    'not-held',
    `tailscaled does not hold what it was given to serve: ${some || 'other fields'} differ`,
    {
      remedy: 'One that is older than 1.92 does not know redirects, PROXY protocol and capabilities.',
    },
  )
}
