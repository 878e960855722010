import { backoff } from '../lib/backoff.ts'
import { type Clock, systemClock } from '../lib/clock.ts'
import { describe } from '../lib/errors.ts'
import type { KubeClient, Secret } from './client.ts'
import { KubeError } from './error.ts'

/** In milliseconds. */
export type FollowWaits = {
  /** Between two reads of the Secret if it cannot be watched; shorter after a failed read. */
  readonly poll: number
  /** First pause after a failed read or watch; it grows. */
  readonly retry: number
  /** Until a refused watch is tried again; also the longest pause after a failed one. */
  readonly rewatch: number
  /** How long the API is asked to keep one watch. */
  readonly watch: number
  /** A watch that ended sooner counts as failed. */
  readonly settled: number
}

const defaults: FollowWaits = { poll: 60_000, retry: 1000, rewatch: 600_000, watch: 300_000, settled: 10_000 }

export type FollowOptions = {
  /**
   * Called with the reason why the Secret cannot be read, and with undefined once it can be again; never twice with the
   * same.
   */
  readonly problem: (text: string | undefined) => void
  readonly waits?: Partial<FollowWaits>
  readonly clock?: Clock
}

type Watched = Pick<KubeClient, 'getSecret' | 'listSecret' | 'watchSecret'>

/** Statuses by which the API refuses a watch for lack of the right or the ability. */
const refusals: ReadonlySet<number | undefined> = new Set([403, 404, 405, 501])

/**
 * Yields the Secret (undefined: absent) at first and after each change, until `signal` aborts. It is watched; if that
 * is not possible, it is polled. Never throws: failures are retried, and reported if the Secret cannot be read either
 * way. A change that is undone between two reads is not observed.
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
        // The API is back, so that watching may work again.
        pauses.failed.reset()
        watchIn = 0
      }
    } catch (error) {
      if (signal.aborted) return
      tell(describe(error))
      pause = pauses.failed.next()
      // The API itself is unwell: both are retried together, so that it is not asked twice as often.
      if (!refused) watchIn = pause
    }
    pause = Math.min(pause, watchIn)
    watchIn -= pause
    await clock.sleep(pause, signal)
  }
}

/** Yields the Secret as listed and at each event, with one watch after the other; throws when one fails. */
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

/** Whether a Secret differs from the previous one. */
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
