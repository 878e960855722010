import { backoff } from '../../lib/backoff.ts'
import { keys } from '../../wire/state-secret.ts'
import { toldOf } from '../world/capability.ts'
import type { Context } from '../world/context.ts'
import type { StateSecret } from '../world/world.ts'
import { checkAccess } from './access.ts'
import { followStateSecret } from './follow.ts'
import { prepareSecret } from './prepare.ts'
import { stateSecretReconciler, writesSecret } from './reconciler.ts'
import { awaitConsistency, clearIdentity } from './stop.ts'
import { events } from './log-events.ts'

/** The state Secret from start-up to stop. */
export type StateSecretKeeper = {
  /** Resolves when tailscaled may be started; from then on the agent's own keys in the Secret are kept up to date. */
  readonly prepared: Promise<void>
  /** Called after the login: removes an auth key from the Secret if it was for one use. */
  readonly removeAuthKey: () => void
  /** Requests that the identity is removed at the end, once tailscaled has ended. */
  readonly clearAtStop: () => void
  /** At the stop, while tailscaled runs: waits until it has written its state. */
  readonly awaitState: (deadline: AbortSignal) => Promise<void>
  /** At the stop, when tailscaled has ended. */
  readonly clearIdentity: (deadline: AbortSignal) => Promise<void>
}

/** Undefined if tailscaled's state is not in a Secret. */
export async function keepStateSecret(context: Context): Promise<StateSecretKeeper | undefined> {
  const { store, log, timings, clock, signal, run, background } = context
  const { settings, deviceConfig, capability } = store.world
  if (settings.state.kind !== 'secret') return undefined
  const { name } = settings.state
  // Only here: node:https takes 3 MiB, also where no API is ever asked.
  const { kubeClient } = await import('../../kube/client.ts')
  const kube = kubeClient(settings.cluster)
  const write = store.writer('stateSecret')
  const change = (part: (now: StateSecret) => StateSecret): void => write((now) => now && part(now))
  write(() => ({ name }))
  /** Whether tailscaled may have written there. */
  let isPrepared = false
  let clears = false

  const prepare = async (): Promise<void> => {
    const configKey = deviceConfig?.file.content.config.authKey
    const problem = (text: string | undefined): void =>
      write(() => ({ name, ...(text !== undefined && { problem: text }) }))
    const found = await prepareSecret({
      kube,
      name,
      settings,
      capability: toldOf(capability),
      configKey,
      log,
      timings,
      clock,
      problem,
      signal,
    })
    const fallback = kube.fallback()
    if (fallback !== undefined) log(events.apiByAddress({ url: fallback }))
    change((now) => ({ ...now, ...found, ...(fallback !== undefined && { fallback }) }))
    isPrepared = true
    clock.every(timings.reread, signal, () => background('looking for rights', lookForRight))
    const { recheck } = run(stateSecretReconciler(kube, name, context))
    background('following the state Secret', () => followStateSecret({ ...context, kube, change, recheck }))
  }

  const prepared = prepare()
  // It is raced with the boot deadline; a rejection after that must not count as unhandled.
  prepared.catch(() => {})
  /** The right to patch may be granted later. */
  const lookForRight = async (): Promise<void> => {
    if (store.world.stateSecret?.access?.patch === true) return
    const access = await checkAccess(kube, name, signal).catch(() => undefined)
    if (access?.patch !== true) return
    log(events.mayPatch({ secret: name }))
    change((now) => ({ ...now, access }))
  }

  const removeAuthKey = async (): Promise<void> => {
    const pause = backoff(timings.retryFirst, timings.retryCap)
    while (!signal.aborted) {
      try {
        const secret = await kube.getSecret(name, signal)
        if (secret?.data.has(keys.authKey)) {
          await kube.patchSecret(name, new Map([[keys.authKey, null]]), signal)
        }
        return
      } catch (error) {
        if (pause.attempts() === 0) log(events.keyStays({ key: keys.authKey, secret: name, problem: error }))
        await clock.sleep(pause.next(), signal)
      }
    }
  }

  return {
    prepared,
    removeAuthKey: () => {
      if (settings.authOnce && writesSecret(store.world)) background('removing the auth key', removeAuthKey)
    },
    clearAtStop: () => {
      clears = true
    },
    awaitState: async (deadline) => {
      if (isPrepared && !clears && writesSecret(store.world)) {
        await awaitConsistency({ kube, name, log, clock }, deadline)
      }
    },
    clearIdentity: async (deadline) => {
      if (clears) await clearIdentity({ kube, name }, deadline)
    },
  }
}
