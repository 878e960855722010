import type { Context } from '../world/context.ts'
import { type Check, checks, type Since } from './checks.ts'

/** Records the times of check changes until `signal` aborts. Only views use it: World does not change. */
export function followChecks({ store, clock, signal }: Pick<Context, 'store' | 'clock' | 'signal'>): Since {
  const known = new Map<string, { readonly state: Check['state']; readonly at: Date }>()
  const look = (): void => {
    const at = clock.date()
    for (const { name, state } of checks(store.world)) {
      if (known.get(name)?.state !== state) known.set(name, { state, at })
    }
  }
  store.watch(look, signal)
  look()
  return (check) => known.get(check)?.at
}
