import { CulvertError } from '../../lib/errors.ts'
import type { SecretData } from '../../kube/client.ts'
import { keys } from '../../wire/state-secret.ts'
import type { Context } from '../world/context.ts'

/** Keys of the state Secret with their desired values; other keys are left alone. */
export type SecretDesired = Readonly<Record<string, string>>

/** What the agent knows of others that write its keys of the state Secret. */
export type Others = {
  /**
   * Takes in the Secret as it was just read. Gives what is to be reported although the Secret is written.
   * @throws CulvertError `state-secret` when it must not be written now: another Pod has it.
   */
  readonly look: (data: SecretData, desired: SecretDesired) => CulvertError | undefined
  /** The Secret is as desired now. */
  readonly inPlace: (desired: SecretDesired) => void
}

/** The keys that must be written. */
export const difference = (data: SecretData, desired: SecretDesired): Map<string, string> =>
  new Map(Object.entries(desired).filter(([key, value]) => data.get(key)?.toString('utf8') !== value))

/**
 * Keeps two that want different things of one Secret from overwriting each other without end.
 *
 * A Pod that has written its UID there has the Secret: it is newer than this one, or nobody could tell. It is left to
 * that Pod for a while, and then taken back, since that Pod may have gone. A key that is changed again soon after it was
 * put right is a failure, so that the pauses grow until it is tried again.
 */
export function otherWriters(secret: string, { timings, clock }: Pick<Context, 'timings' | 'clock'>): Others {
  /** Within this time of the last one, another change is one of the same series. */
  const series = 2 * timings.retryCap
  let held: SecretDesired = {}
  let undone = { at: -Infinity, keys: new Set<string>(), again: false }
  let pod: { readonly uid: string; readonly seenAt: number } | undefined
  let leftUntil: number | undefined

  const seePod = (uid: string): void => {
    const now = clock.now()
    if (leftUntil === undefined || uid !== pod?.uid) leftUntil = now + timings.leave
    pod = { uid, seenAt: now }
    if (now < leftUntil) throw usedByTwo(secret, uid)
    leftUntil = undefined
  }

  return {
    look: (data, desired) => {
      const own = desired[keys.podUid] ?? ''
      const there = data.get(keys.podUid)?.toString('utf8') ?? ''
      if (own !== '' && there !== '' && there !== own) seePod(there)
      else leftUntil = undefined
      const now = clock.now()
      const changed = [...difference(data, desired).keys()].filter((key) => held[key] === desired[key])
      const goesOn = now - undone.at < series
      if (changed.length > 0) {
        undone = { at: now, keys: new Set([...(goesOn ? undone.keys : []), ...changed]), again: goesOn }
      } else if (!goesOn) undone = { ...undone, again: false }
      // Longer than the other leaves it to this one: it is there until it has missed its turn.
      if (pod !== undefined && now - pod.seenAt < 2 * timings.leave) return usedByTwo(secret, pod.uid)
      return undone.again ? changedAgain(secret, [...undone.keys]) : undefined
    },
    inPlace: (desired) => {
      held = desired
    },
  }
}

const usedByTwo = (secret: string, uid: string): CulvertError =>
  new CulvertError(
    'state-secret',
    `the Pod with UID ${uid} uses the state Secret "${secret}", too: two Pods on one Secret are one node and disturb each other, and only one of them keeps it up to date`,
    {
      remedy:
        'Run one Pod, or give each a Secret of its own (TS_KUBE_SECRET). A Pod that is being replaced says this, too, and ends soon.',
    },
  )

const changedAgain = (secret: string, changed: readonly string[]): CulvertError =>
  new CulvertError('state-secret', `${changed.join(', ')} of Secret "${secret}" is changed each time it is put right`, {
    remedy: `Find out by whom: kubectl get secret ${secret} --output yaml --show-managed-fields. It is written again, with growing pauses.`,
  })
