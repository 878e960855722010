import type { KubeClient, Secret } from '../../kube/client.ts'
import { followSecret } from '../../kube/follow.ts'
import { difference, planStateSecret, writesSecret } from './reconciler.ts'
import type { Context } from '../world/context.ts'
import type { StateSecret } from '../world/world.ts'
import { inspectState } from './tailscaled-state.ts'

type Parts = Pick<Context, 'store' | 'log' | 'timings' | 'signal'> & {
  readonly kube: KubeClient
  /** Changes World.stateSecret. */
  readonly change: (part: (now: StateSecret) => StateSecret) => void
  /** The Secret is not as the agent left it. */
  readonly recheck: () => void
}

/** Keeps World.stateSecret at what the Secret holds, until `signal` aborts, and has the reconciler look when others changed it. */
export async function followStateSecret({ store, kube, log, timings, signal, change, recheck }: Parts): Promise<void> {
  const name = store.world.stateSecret?.name ?? ''
  const problem = (text: string | undefined): void => {
    const before = store.world.stateSecret?.problem
    if (text !== undefined && before === undefined) log(`warning: Secret "${name}" cannot be seen: ${text}`)
    if (text === undefined && before !== undefined) log(`Secret "${name}" can be seen again`)
    change(({ problem: _old, ...rest }) => (text === undefined ? rest : { ...rest, problem: text }))
  }
  let said = ''
  for await (const secret of followSecret(
    kube,
    name,
    { problem, waits: { poll: timings.look, retry: timings.retryFirst } },
    signal,
  )) {
    // Until it runs, what was found at the start stands.
    if (store.world.tailnet.state === 'Running') {
      const broken = loss(secret)
      change(({ broken: _old, ...rest }) => ({ ...rest, ...(broken !== '' && { broken }) }))
      if (broken !== said && broken !== '') log(`warning: Secret "${name}": ${broken}`)
      said = broken
    }
    const desired = planStateSecret(store.world)
    const differs = desired !== undefined && (secret === undefined || difference(secret.data, desired).size > 0)
    if (differs && writesSecret(store.world)) recheck()
  }
}

/** What of the running node's identity is no longer in the Secret: it runs on from memory, and is lost with it. */
function loss(secret: Secret | undefined): string {
  const verdict = secret === undefined ? ({ kind: 'fresh' } as const) : inspectState(secret.data)
  const remedy =
    'tailscaled runs on from memory and does not write it again: restore the Secret from a backup, or restart the Pod with a fresh auth key'
  if (verdict.kind === 'fresh') return `the node’s identity is gone from it; ${remedy}`
  return verdict.kind === 'broken' ? `${verdict.problem}; ${remedy}` : ''
}
