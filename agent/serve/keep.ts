import type { Context } from '../world/context.ts'
import { advertiseReconciler } from './advertise.ts'
import { serveReconciler } from './reconciler.ts'
import { reportServe } from './report.ts'

/** Makes tailscaled serve the desired config and advertise its Tailscale Services, and logs what is served. */
export function keepServe(context: Context): void {
  const { store, api, timings, clock, signal, run } = context
  const write = store.writer('everServed')
  const observe = (names: readonly string[]): void =>
    write((before) => (names.every((name) => before.has(name)) ? before : before.union(new Set(names))))
  const serve = run(serveReconciler(api, ({ Services = {} }) => observe(Object.keys(Services)), signal))
  const advertise = run(advertiseReconciler(api, signal))
  // tailscaled announces neither changes of its serve config nor of what it advertises.
  clock.every(timings.look, signal, serve.recheck)
  clock.every(timings.look, signal, advertise.recheck)
  reportServe(context)
}
