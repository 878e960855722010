import { backoff } from '../lib/backoff.ts'
import { type Clock, systemClock } from '../lib/clock.ts'
import { describe } from '../lib/errors.ts'
import type { KubeClient, Secret } from './client.ts'
import { KubeError } from './error.ts'

/** Lengths in milliseconds. */
export type FollowWaits = {
  /** Between two looks at the Secret where it cannot be watched; shorter after a look that failed. */
  readonly poll: number
  /** First pause after a look or a watch that failed; it grows. */
  readonly retry: number
  /** Until a watch that was refused is tried again; also the longest pause after one that failed. */
  readonly rewatch: number
  /** How long the API is asked to keep one watch. */
  readonly watch: number
  /** A watch that lasted shorter has failed. */
  readonly settled: number
}

const defaults: FollowWaits = { poll: 60_000, retry: 1000, rewatch: 600_000, watch: 300_000, settled: 10_000 }

export type FollowOptions = {
  /** Told why the Secret cannot be seen, and undefined once it can be again; not told the same thing twice. */
  readonly problem: (text: string | undefined) => void
  readonly waits?: Partial<FollowWaits>
  readonly clock?: Clock
}

type Watched = Pick<KubeClient, 'getSecret' | 'listSecret' | 'watchSecret'>

/** Answers by which the API says that a watch is not to be had: the right or the ability is missing. */
const refusals: ReadonlySet<number | undefined> = new Set([403, 404, 405, 501])

/**
 * Yields the Secret (undefined: absent) as it is and then at each change, until `signal` aborts. It is watched; while
 * that cannot be done, for whatever reason, it is looked at again and again. Never throws: what fails is tried again, and
 * told when the Secret cannot be seen either way. A change that is undone between two looks is not seen.
 */
export async function* followSecret(
  client: Watched,
  name: string,
  options: FollowOptions,
  signal: AbortSignal,
): AsyncGenerator<Secret | undefined> {
  const waits = { ...defaults, ...options.waits }
  const { clock = systemClock } = options
  const pauses = {
    watch: backoff(waits.retry, waits.rewatch),
    failed: backoff(waits.retry, waits.poll),
    poll: backoff(waits.poll, waits.poll),
  }
  const news = onlyNews()
  const tell = onlyChanges(options.problem)
  let watchIn = 0
  let refused = false
  while (!signal.aborted) {
    if (watchIn === 0) {
      const began = clock.now()
      try {
        for await (const secret of watch(client, name, { ...waits, clock }, signal)) {
          tell(undefined)
          if (news(secret)) yield secret
        }
      } catch (error) {
        if (clock.now() - began >= waits.settled) pauses.watch.reset()
        refused = error instanceof KubeError && refusals.has(error.status)
        watchIn = refused ? waits.rewatch : pauses.watch.next()
      }
    }
    let pause: number
    try {
      const secret = await client.getSecret(name, signal)
      tell(undefined)
      if (news(secret)) yield secret
      pause = pauses.poll.next()
      if (pauses.failed.attempts() > 0) {
        // The API is back, and a watch with it.
        pauses.failed.reset()
        watchIn = 0
      }
    } catch (error) {
      if (signal.aborted) return
      tell(describe(error))
      pause = pauses.failed.next()
      // It is the API that is not well: both are tried again together, so that it is not asked twice as often.
      if (!refused) watchIn = pause
    }
    pause = Math.min(pause, watchIn)
    watchIn -= pause
    await clock.sleep(pause, signal)
  }
}

/** Yields the Secret as listed and at each event, through one watch after the other; throws when one does not go well. */
async function* watch(
  client: Watched,
  name: string,
  { clock, ...waits }: FollowWaits & { readonly clock: Clock },
  signal: AbortSignal,
): AsyncGenerator<Secret | undefined> {
  const listed = await client.listSecret(name, signal)
  yield listed.secret
  let version = listed.resourceVersion
  for (;;) {
    const began = clock.now()
    for await (const event of client.watchSecret(name, version, waits.watch, signal)) {
      version = event.resourceVersion
      if ('secret' in event) yield event.secret
    }
    if (clock.now() - began < waits.settled) throw new Error('the watch ended at once')
  }
}

/** Tells whether a Secret differs from the one before. */
function onlyNews(): (secret: Secret | undefined) => boolean {
  let held: string | undefined = ''
  return (secret) => {
    const version = secret?.resourceVersion
    const isNew = version === '' || version !== held
    held = version
    return isNew
  }
}

function onlyChanges(told: (text: string | undefined) => void): (text: string | undefined) => void {
  let last: string | undefined
  return (text) => {
    if (text !== last) told(text)
    last = text
  }
}
