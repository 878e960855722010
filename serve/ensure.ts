import { isDeepStrictEqual } from 'node:util'
import { CulvertError } from '../lib/errors.ts'
import { some } from '../lib/some.ts'
import type { TaggedApi } from '../localapi/client.ts'
import { LocalApiError, type Refusal } from '../localapi/error.ts'
import { getServeConfig, isConflict, type Served, setServeConfig } from '../localapi/serve-config.ts'
import { entriesOf, joinEntries, type ServeConfig } from '../wire/serve-config.ts'
import { serveSteps } from './steps.ts'

/** Another program that changes the config again and again must not be fought. */
const mostRounds = 5

/** The result. */
export type Ensured = {
  /** The config that was found. */
  readonly found: Served['config']
  readonly changed: boolean
  /** What tailscaled serves now: the desired config, with rejected entries as they were before. */
  readonly held: ServeConfig
  /** tailscaled's reason for each rejected entry. */
  readonly refused: ReadonlyMap<string, Refusal>
}

/**
 * Makes tailscaled serve `desired` and nothing else, and verifies that by reading back; does nothing if it does
 * already. A rejected entry affects no other. A concurrent change is read again, never overwritten unseen. `recreate`
 * as in `serveSteps`.
 * @throws CulvertError `localapi` when it accepts nothing at all and serves what it did before; `verification-failed`
 *   when it serves something else
 */
export async function ensureServed(
  api: TaggedApi,
  desired: ServeConfig,
  recreate: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<Ensured> {
  for (let round = 1; ; round += 1) {
    try {
      return await attempt(api, desired, recreate, signal)
    } catch (error) {
      if (!isConflict(error) || round === mostRounds) throw error
    }
  }
}

async function attempt(
  api: TaggedApi,
  desired: ServeConfig,
  recreate: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<Ensured> {
  const found = await getServeConfig(api, signal)
  const whole = await move(api, found, desired, recreate, signal)
  let now = whole.now
  const refused = new Map<string, Refusal>()
  const wanted = entriesOf(desired)
  /** Applies the valid ones of these entries, which were rejected together. */
  const settle = async (names: readonly string[], together: Refusal): Promise<void> => {
    const [first] = names
    if (first !== undefined && names.length === 1) {
      refused.set(first, together)
      return
    }
    const middle = Math.ceil(names.length / 2)
    for (const half of [names.slice(0, middle), names.slice(middle)]) {
      const target = entriesOf(now.config)
      for (const name of half) {
        const entry = wanted.get(name)
        if (entry === undefined) target.delete(name)
        else target.set(name, entry)
      }
      const moved = await move(api, now, joinEntries(target.values()), recreate.intersection(new Set(half)), signal)
      now = moved.now
      if (moved.refusal !== undefined) await settle(half, moved.refusal)
    }
  }
  if (whole.refusal !== undefined) {
    const names = differing(found.config, desired, recreate)
    if (names.length === 0) throw takesNothing(whole.refusal)
    if (names.length > 1) now = await rewrite(api, now, signal)
    await settle(names, whole.refusal)
  }
  return { found: found.config, changed: now !== found, held: refused.size === 0 ? desired : now.config, refused }
}

/** Moves from the present config to `to`. A rejected config leaves the present one. */
async function move(
  api: TaggedApi,
  from: Served,
  to: ServeConfig,
  recreate: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<{ readonly now: Served; readonly refusal?: Refusal }> {
  let now = from
  for (const step of serveSteps(from.config, to, recreate)) {
    try {
      await setServeConfig(api, step, now.etag, signal)
    } catch (error) {
      const refusal = refusalOf(error)
      if (now === from) return { now, refusal }
      // Restores what was removed for this.
      await setServeConfig(api, from.config, now.etag, signal)
      return { now: await getServeConfig(api, signal), refusal }
    }
    now = await getServeConfig(api, signal)
    if (!isDeepStrictEqual(now.config, step)) throw notHeld(now.config, step)
  }
  return { now }
}

/**
 * Makes tailscaled serve its present config.
 * @throws CulvertError `localapi` if it refuses even that: then it is not the fault of an entry.
 */
async function rewrite(api: TaggedApi, { config, etag }: Served, signal: AbortSignal): Promise<Served> {
  try {
    await setServeConfig(api, config, etag, signal)
  } catch (error) {
    throw takesNothing(refusalOf(error))
  }
  return await getServeConfig(api, signal)
}

const takesNothing = (cause: Refusal): CulvertError =>
  new CulvertError('localapi', 'tailscaled refuses to serve what the serve config says', {
    cause,
    remedy: 'It goes on with what it served before.',
  })

/** @throws the error itself unless tailscaled has rejected the config itself, and not a stale version. */
function refusalOf(error: unknown): Refusal {
  if (!(error instanceof LocalApiError) || error.refusal === undefined || isConflict(error)) throw error
  return error.refusal
}

/** The names of entries that differ or must be recreated. */
function differing(now: ServeConfig, wanted: ServeConfig, recreate: ReadonlySet<string> = new Set()): string[] {
  const [before, after] = [entriesOf(now), entriesOf(wanted)]
  return [...new Set([...before.keys(), ...after.keys()])].filter(
    (name) => (recreate.has(name) && before.has(name)) || !isDeepStrictEqual(before.get(name), after.get(name)),
  )
}

function notHeld(held: ServeConfig, wanted: ServeConfig): CulvertError {
  const names = differing(held, wanted)
  const differ = some(names, { separator: ', ' })
  return new CulvertError(
    'verification-failed',
    `tailscaled does not hold what it was given to serve: ${differ || 'other fields'} differ`,
    {
      remedy: 'One that is older than 1.92 does not know redirects, PROXY protocol and capabilities.',
    },
  )
}
