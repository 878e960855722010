import type { KubeClient, Secret } from '../../kube/client.ts'
import { followSecret } from '../../kube/follow.ts'
import { difference } from './others.ts'
import { planStateSecret, writesSecret } from './reconciler.ts'
import type { Context } from '../world/context.ts'
import type { StateSecret } from '../world/world.ts'
import { inspectState } from './tailscaled-state.ts'
import { events } from './log-events.ts'

type Parts = Pick<Context, 'store' | 'log' | 'timings' | 'signal'> & {
  readonly kube: KubeClient
  /** Changes World.stateSecret. */
  readonly change: (part: (now: StateSecret) => StateSecret) => void
  /** Called when the Secret differs from what the agent wrote. */
  readonly recheck: () => void
}

/**
 * Keeps World.stateSecret up to date with the Secret until `signal` aborts, and triggers the reconciler when others
 * changed it.
 */
export async function followStateSecret({ store, kube, log, timings, signal, change, recheck }: Parts): Promise<void> {
  const name = store.world.stateSecret?.name ?? ''
  const problem = (text: string | undefined): void => {
    const before = store.world.stateSecret?.problem
    if (text !== undefined && before === undefined) log(events.unseen({ secret: name, problem: text }))
    if (text === undefined && before !== undefined) log(events.seenAgain({ secret: name }))
    change(({ problem: _old, ...rest }) => (text === undefined ? rest : { ...rest, problem: text }))
  }
  let said = ''
  for await (const secret of followSecret(
    kube,
    name,
    { problem, waits: { poll: timings.look, retry: timings.retryFirst } },
    signal,
  )) {
    // Until the node runs, the result of the start-up check stays.
    if (store.world.tailnet.state === 'Running') {
      const broken = loss(secret)
      change(({ broken: _old, ...rest }) => ({ ...rest, ...(broken !== '' && { broken }) }))
      if (broken !== said && broken !== '') log(events.lost({ secret: name, problem: broken }))
      said = broken
    }
    const desired = planStateSecret(store.world)
    const differs = desired !== undefined && (secret === undefined || difference(secret.data, desired).size > 0)
    if (differs && writesSecret(store.world)) recheck()
  }
}

/**
 * Which part of the running node's identity is missing in the Secret: it then exists in memory only, and is lost with
 * it.
 */
function loss(secret: Secret | undefined): string {
  const verdict = secret === undefined ? ({ kind: 'fresh' } as const) : inspectState(secret.data)
  const remedy =
    'tailscaled runs on from memory and does not write it again: restore the Secret from a backup, or restart the Pod with a fresh auth key'
  if (verdict.kind === 'fresh') return `the node’s identity is gone from it; ${remedy}`
  return verdict.kind === 'broken' ? `${verdict.problem}; ${remedy}` : ''
}
