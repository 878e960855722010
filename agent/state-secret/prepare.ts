import { backoff } from '../../lib/backoff.ts'
import { CulvertError, describe } from '../../lib/errors.ts'
import type { Clock } from '../../lib/clock.ts'
import type { LogEvent } from '../../lib/log-event.ts'
import type { Log } from '../../lib/log.ts'
import type { KubeClient, Secret } from '../../kube/client.ts'
import { KubeError } from '../../kube/error.ts'
import { staleAtBoot, keys } from '../../wire/state-secret.ts'
import type { Settings } from '../settings/settings.ts'
import type { Timings } from '../world/timings.ts'
import type { Access } from '../world/world.ts'
import { checkAccess } from './access.ts'
import { inspectState } from './tailscaled-state.ts'
import { events } from './log-events.ts'

/** The state Secret as found before tailscaled is started. */
export type SecretAtBoot = {
  readonly access: Access
  /** The Secret's `authkey`, if nothing else says how to log in. */
  readonly authKey?: string
  /** The part of tailscaled's state that is missing and cannot be restored. */
  readonly broken?: string
}

type Parts = {
  readonly kube: KubeClient
  readonly name: string
  readonly settings: Settings
  /** The capability version of tailscaled. */
  readonly capability: number
  /** The auth key in the config file; undefined unless in one-step mode. */
  readonly configKey: string | undefined
  readonly log: Log
  readonly timings: Timings
  readonly clock: Clock
  /** Called with the reason why the API does not answer, until it does. */
  readonly problem: (text: string | undefined) => void
  readonly signal: AbortSignal
}

/**
 * An API server that has just started denies everything until it has loaded the roles; a denial counts after this many
 * ms.
 */
const settling = 10_000

/**
 * Prepares the state Secret for this run: checks rights, cleans up after earlier runs, adopts an `authkey`, and repairs
 * tailscaled's own state if that loses no identity. Retries while the API does not answer; the boot deadline limits
 * that.
 * @throws CulvertError `privilege` or `state-secret` when it can never work.
 */
export async function prepareSecret(parts: Parts): Promise<SecretAtBoot> {
  const { log, timings, clock, problem, signal } = parts
  const pause = backoff(timings.retryFirst, timings.retryCap)
  let awayUntil = Number.NEGATIVE_INFINITY
  for (;;) {
    // Logged once, however often it is tried.
    const said: LogEvent[] = []
    try {
      const found = await attempt({ ...parts, log: (event) => said.push(event) })
      if (found.access.patch || clock.now() > awayUntil) {
        said.forEach(log)
        problem(undefined)
        return found
      }
      problem('the Kubernetes API is back, and denies the right to patch the state Secret as yet')
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof KubeError && error.retryable) awayUntil = clock.now() + settling
      else if (clock.now() > awayUntil) throw error
      problem(describe(error))
    }
    await clock.sleep(pause.next(), signal)
    signal.throwIfAborted()
  }
}

async function attempt({ kube, name, settings, capability, configKey, log, signal }: Parts): Promise<SecretAtBoot> {
  const access = await checkAccess(kube, name, signal)
  const secret = await kube.getSecret(name, signal)
  if (secret === undefined) {
    if (access.create) return { access }
    throw new CulvertError(
      'state-secret',
      `the state Secret "${name}" does not exist in namespace "${kube.namespace}"`,
      {
        remedy: 'Create it empty, or grant the service account the verb create on secrets.',
      },
    )
  }
  for (const key of secret.undecodable) log(events.undecodable({ key, secret: name }))
  const authKey = adoptAuthKey(secret, settings)
  if (!access.patch) {
    if (authKey !== undefined) {
      throw new CulvertError(
        'privilege',
        `Secret "${name}" has an ${keys.authKey}, but the service account may not patch it`,
        {
          remedy: 'Grant it the verb patch on that Secret, or give the key as TS_AUTHKEY.',
        },
      )
    }
    log(events.mayNotPatch({ secret: name }))
    return { access, ...inspected(secret, log) }
  }
  const { broken, change } = inspected(secret, log)
  const wanted = new Map([...bootReset(secret, settings.pod.uid, capability, configKey), ...(change ?? [])])
  if (settings.inKubernetes && wanted.size > 0) {
    try {
      await kube.patchSecret(name, wanted, signal)
    } catch (error) {
      if (!(error instanceof KubeError) || error.retryable) throw error
      // Traffic does not depend on it; the reconciler of the Secret keeps trying.
      log(events.notUpToDate({ keys: [...wanted.keys()].join(', '), secret: name, problem: error }))
    }
  }
  return { access, ...(authKey !== undefined && { authKey }), ...(broken !== undefined && { broken }) }
}

/** The `authkey` of the Secret counts only if nothing else logs in. */
function adoptAuthKey({ data }: Secret, { up, configDirectory }: Settings): string | undefined {
  if (up.authKey !== '' || up.clientId !== '' || up.clientSecret !== '' || configDirectory !== undefined)
    return undefined
  return data.get(keys.authKey)?.toString('utf8').trim() || undefined
}

/** Removes what an earlier run left, and records this run. Only differences. */
export function bootReset(
  { data }: Pick<Secret, 'data'>,
  podUid: string,
  capability: number,
  configKey: string | undefined,
): Map<string, string | null> {
  const has = (key: string): string | undefined => data.get(key)?.toString('utf8')
  const change = new Map<string, string | null>()
  for (const key of staleAtBoot) if (data.has(key)) change.set(key, null)
  const marker = has(keys.reissue)
  // A different key answers a request for another key; without one, the request stays.
  if (marker !== undefined && configKey !== undefined && configKey !== '' && configKey !== marker) {
    change.set(keys.reissue, null)
  }
  if (has(keys.capver) !== String(capability)) change.set(keys.capver, String(capability))
  if (podUid !== '' && has(keys.podUid) !== podUid) change.set(keys.podUid, podUid)
  return change
}

function inspected(secret: Secret, log: Log): { broken?: string; change?: ReadonlyMap<string, string> } {
  const verdict = inspectState(secret.data)
  if (verdict.kind === 'healable') {
    log(events.healed({ secret: secret.name, problem: verdict.problem }))
    return { change: verdict.change }
  }
  if (verdict.kind !== 'broken') return {}
  const problem = `${verdict.problem}. ${brokenRemedy}`
  log(events.broken({ secret: secret.name, problem }))
  return { broken: `tailscaled’s state in Secret "${secret.name}": ${problem}` }
}

const brokenRemedy =
  'Restore the Secret from a backup, or delete its keys _machinekey, _current-profile, _profiles and profile-… and log in again with a fresh auth key.'
