import { isDeepStrictEqual } from 'node:util'
import { CulvertError } from '../lib/errors.ts'
import { some } from '../lib/some.ts'
import type { TaggedApi } from '../localapi/client.ts'
import { LocalApiError, type Refusal } from '../localapi/error.ts'
import { getServeConfig, isConflict, type Served, setServeConfig } from '../localapi/serve-config.ts'
import { entriesOf, joinEntries, type ServeConfig } from '../wire/serve-config.ts'
import { serveSteps } from './steps.ts'

/** Somebody else who changes it again and again must not be fought. */
const mostRounds = 5

/** What has become of it. */
export type Ensured = {
  /** What tailscaled served when it was looked at. */
  readonly found: Served['config']
  readonly changed: boolean
  /** What it serves now: what was desired, but that entries which it refuses are as they were. */
  readonly held: ServeConfig
  /** Its words for each of these. */
  readonly refused: ReadonlyMap<string, Refusal>
}

/**
 * Has tailscaled serve `desired` and nothing else, and reads that back; does nothing where it does already. What it
 * refuses costs its entry alone. What others write meanwhile is looked at again, never overwritten unseen. `anew` as in
 * `serveSteps`.
 * @throws CulvertError `localapi` when it takes nothing at all, and then serves what it did; `verification-failed` when it holds something else
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
  const whole = await move(api, found, desired, anew, signal)
  let now = whole.now
  const refused = new Map<string, Refusal>()
  const wanted = entriesOf(desired)
  /** Has the good ones among these served, which together are refused. */
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
      const moved = await move(api, now, joinEntries(target.values()), anew.intersection(new Set(half)), signal)
      now = moved.now
      if (moved.refusal !== undefined) await settle(half, moved.refusal)
    }
  }
  if (whole.refusal !== undefined) {
    const names = differing(found.config, desired, anew)
    if (names.length === 0) throw takesNothing(whole.refusal)
    if (names.length > 1) now = await rewrite(api, now, signal)
    await settle(names, whole.refusal)
  }
  return { found: found.config, changed: now !== found, held: refused.size === 0 ? desired : now.config, refused }
}

/** Goes from what is served to `to`. What is refused leaves what was served. */
async function move(
  api: TaggedApi,
  from: Served,
  to: ServeConfig,
  anew: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<{ readonly now: Served; readonly refusal?: Refusal }> {
  let now = from
  for (const step of serveSteps(from.config, to, anew)) {
    try {
      await setServeConfig(api, step, now.etag, signal)
    } catch (error) {
      const refusal = refusalOf(error)
      if (now === from) return { now, refusal }
      // What was taken away for this is served again.
      await setServeConfig(api, from.config, now.etag, signal)
      return { now: await getServeConfig(api, signal), refusal }
    }
    now = await getServeConfig(api, signal)
    if (!isDeepStrictEqual(now.config, step)) throw notHeld(now.config, step)
  }
  return { now }
}

/**
 * Has tailscaled serve what it serves.
 * @throws CulvertError `localapi` where it refuses even that: then it is no entry's fault.
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

/** @throws the error itself where tailscaled has not refused, or only since it serves something else by now. */
function refusalOf(error: unknown): Refusal {
  if (!(error instanceof LocalApiError) || error.refusal === undefined || isConflict(error)) throw error
  return error.refusal
}

/** The names of entries that differ, or are to be served anew. */
function differing(now: ServeConfig, wanted: ServeConfig, anew: ReadonlySet<string> = new Set()): string[] {
  const [before, after] = [entriesOf(now), entriesOf(wanted)]
  return [...new Set([...before.keys(), ...after.keys()])].filter(
    (name) => (anew.has(name) && before.has(name)) || !isDeepStrictEqual(before.get(name), after.get(name)),
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
