import { CulvertError } from '../../lib/errors.ts'
import { visible } from '../../lib/quote.ts'
import type { SecretData } from '../../kube/client.ts'
import { keys } from '../../wire/state-secret.ts'
import type { Timings } from '../world/timings.ts'

/** Keys of the state Secret with their desired values; other keys are left alone. */
export type SecretDesired = Readonly<Record<string, string>>

/** The keys that must be written. */
export const difference = (data: SecretData, desired: SecretDesired): Map<string, string> =>
  new Map(Object.entries(desired).filter(([key, value]) => data.get(key)?.toString('utf8') !== value))

/** What an agent has observed of others that write its keys of the state Secret. Times are those of the clock. */
export type Others = {
  /** The agent's keys as they were last read back. */
  readonly held: SecretDesired
  /** Keys that somebody has changed since, and when that was last seen; `again`: repeatedly, within a short time. */
  readonly undone: { readonly keys: readonly string[]; readonly at: number; readonly again: boolean }
  /**
   * Another Pod whose UID was in the Secret, and when it was last seen; `since` when, until the Secret was taken back.
   */
  readonly pod?: { readonly uid: string; readonly seenAt: number; readonly since: number | undefined } | undefined
}

export const nobody: Others = { held: {}, undone: { keys: [], at: -Infinity, again: false } }

/** `problem` must be reported even if the Secret may be written. */
type Judgement = { readonly others: Others } & (
  | { readonly mayWrite: true; readonly problem: CulvertError | undefined }
  | { readonly mayWrite: false; readonly problem: CulvertError }
)

/**
 * Decides whether to write a Secret that was just read, so that two writers of different values do not overwrite each
 * other endlessly. Pure.
 *
 * A Pod whose UID is in the Secret has taken it over, and is assumed to be the newer one. The Secret is left to
 * that Pod for a while, and then taken back, since that Pod may have gone. A key that is changed again soon after it
 * was repaired is a problem, so that the reconciler's pauses grow.
 */
export function judgeOthers(
  { held, undone, pod }: Others,
  { name, data, desired, now }: { name: string; data: SecretData; desired: SecretDesired; now: number },
  { leave, retryCap }: Pick<Timings, 'leave' | 'retryCap'>,
): Judgement {
  const own = desired[keys.podUid] ?? ''
  const uid = data.get(keys.podUid)?.toString('utf8') ?? ''
  const isOther = own !== '' && uid !== '' && uid !== own
  const since = isOther ? ((pod?.uid === uid ? pod.since : undefined) ?? now) : undefined
  const seen = isOther ? { uid, seenAt: now } : pod
  // A Pod that still runs takes the Secret back within the time for which it leaves it to this one.
  const last = seen !== undefined && now - seen.seenAt < 2 * leave ? { ...seen, since } : undefined
  if (since !== undefined && now - since < leave) {
    return { others: { held, undone, pod: last }, mayWrite: false, problem: usedByTwo(name, uid) }
  }
  const changed = [...difference(data, desired).keys()].filter((key) => held[key] === desired[key])
  const goesOn = now - undone.at < 2 * retryCap
  const all = goesOn ? [...new Set([...undone.keys, ...changed])] : changed
  const again = goesOn && (undone.again || changed.length > 0)
  return {
    others: {
      // A change counts once, however long the repair takes.
      held: Object.fromEntries(Object.entries(held).filter(([key]) => !changed.includes(key))),
      undone: { keys: all, at: changed.length > 0 ? now : undone.at, again },
      // It is taken back now. If that UID returns, the Secret is left to that Pod again.
      pod: last && { ...last, since: undefined },
    },
    mayWrite: true,
    problem: last ? usedByTwo(name, last.uid) : again ? changedAgain(name, all) : undefined,
  }
}

const usedByTwo = (secret: string, uid: string): CulvertError =>
  new CulvertError(
    'state-secret',
    `the Pod with UID ${visible(uid.slice(0, 64))} uses the state Secret "${secret}", too: two Pods on one Secret are one node and disturb each other, and only one of them keeps it up to date`,
    {
      remedy:
        'Run one Pod, or give each a Secret of its own (TS_KUBE_SECRET). A Pod that is being replaced says this, too, and ends soon.',
    },
  )

const changedAgain = (secret: string, changed: readonly string[]): CulvertError =>
  new CulvertError('state-secret', `${changed.join(', ')} of Secret "${secret}" is changed each time it is put right`, {
    remedy: `Find out by whom: kubectl get secret ${secret} --output yaml --show-managed-fields. It is written again, with growing pauses.`,
  })
