import { backoff } from '../../lib/backoff.ts'
import { describe } from '../../lib/errors.ts'
import type { Log } from '../../lib/log.ts'
import { every, sleep } from '../../lib/timers.ts'
import { runFacet } from '../world/reconciler.ts'
import { stateSecretFacet, writesSecret } from './reconciler.ts'
import type { Stoppable } from '../lifecycle/stop.ts'
import type { Waits } from '../world/timings.ts'
import type { StateSecret, Store } from '../world/world.ts'
import { checkAccess } from './access.ts'
import { prepareSecret } from './prepare.ts'
import { keys } from './keys.ts'
import { followStateSecret } from './follow.ts'
import { awaitConsistency, clearIdentity } from './stop.ts'

type Parts = {
  readonly store: Store
  readonly log: Log
  readonly waits: Waits
  readonly parts: Stoppable
  readonly signal: AbortSignal
}

/** The state Secret from start-up to stop. */
export type StateSecretKeeper = {
  /** Resolves when tailscaled may be started on it; what follows keeps the agent's own keys in it true. */
  readonly prepared: Promise<void>
  /** The node has logged in: an auth key in the Secret has done its work, where it is to be used once. */
  readonly removeAuthKey: () => void
  /** Have the identity removed from it at the end, once tailscaled has ended. */
  readonly clearAtStop: () => void
}

/** Undefined where tailscaled's state is not in a Secret. */
export async function keepStateSecret({
  store,
  log,
  waits,
  parts,
  signal,
}: Parts): Promise<StateSecretKeeper | undefined> {
  const { settings, deviceConfig } = store.world
  if (settings.state.kind !== 'secret') return undefined
  const { name } = settings.state
  // Only here: node:https takes 3 MiB, also where no API is ever asked.
  const { kubeClient } = await import('../../kube/client.ts')
  const kube = kubeClient(settings.cluster)
  const set = (change: Omit<StateSecret, 'name'>): void =>
    store.update((world) => ({ ...world, stateSecret: { ...world.stateSecret, name, ...change } }))
  set({})

  const prepare = async (): Promise<void> => {
    const configKey = deviceConfig?.current.config.authKey
    const problem = (text: string | undefined): void =>
      store.update((world) => ({ ...world, stateSecret: { name, ...(text !== undefined && { problem: text }) } }))
    const found = await prepareSecret({ kube, name, settings, configKey, log, waits, problem, signal })
    const { access, broken, authKey } = found
    set({ access, ...(broken !== undefined && { broken }) })
    if (authKey !== undefined) {
      store.update((world) => {
        const { up } = world.settings
        return { ...world, settings: { ...world.settings, up: { ...up, authKey } } }
      })
    }
    parts.awaitState = async (deadline) => {
      if (writesSecret(store.world)) await awaitConsistency({ kube, name, log }, deadline)
    }
    every(waits.reread, signal, () => void lookForRight())
    const facet = runFacet(
      stateSecretFacet(kube, () => store.world, signal),
      { store, log, waits, signal },
    )
    parts.facets.push(facet)
    void followStateSecret({ store, kube, log, waits, recheck: facet.recheck }, signal)
  }

  const prepared = prepare()
  // It is raced with the boot deadline, after which nobody listens.
  prepared.catch(() => {})
  /** The right to patch may be granted later. */
  const lookForRight = async (): Promise<void> => {
    if (store.world.stateSecret?.access?.patch === true) return
    const access = await checkAccess(kube, name, signal).catch(() => undefined)
    if (access?.patch !== true) return
    log(`the service account may patch Secret "${name}" now`)
    set({ access })
  }

  const removeAuthKey = async (): Promise<void> => {
    const pause = backoff(waits.retryFirst, waits.retryCap)
    while (!signal.aborted) {
      try {
        const secret = await kube.getSecret(name, signal)
        if (secret?.data.has(keys.authKey)) await kube.patchSecret(name, new Map([[keys.authKey, null]]), signal)
        return
      } catch (error) {
        if (pause.attempts() === 0)
          log(`warning: ${keys.authKey} stays in Secret "${name}" for now: ${describe(error)}`)
        await sleep(pause.next(), signal)
      }
    }
  }

  return {
    prepared,
    removeAuthKey: () => {
      if (settings.authOnce && writesSecret(store.world)) void removeAuthKey()
    },
    clearAtStop: () => {
      delete parts.awaitState
      parts.clearIdentity = (deadline) => clearIdentity({ kube, name, log }, deadline)
    },
  }
}
