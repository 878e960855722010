import type { Log } from '../../lib/log.ts'
import { every } from '../../lib/timers.ts'
import type { LocalApi, TaggedApi } from '../../localapi/client.ts'
import { runFacet } from '../world/reconciler.ts'
import { advertiseFacet } from './advertise.ts'
import { serveFacet } from './reconciler.ts'
import { reportServe } from './report.ts'
import type { Stoppable } from '../lifecycle/stop.ts'
import type { Waits } from '../world/timings.ts'
import type { Store } from '../world/world.ts'

type Parts = {
  readonly store: Store
  readonly api: LocalApi & TaggedApi
  readonly log: Log
  readonly waits: Waits
  readonly parts: Stoppable
  readonly signal: AbortSignal
}

/** Has tailscaled serve what the mounted file says and host its Tailscale Services, and says what is served. */
export function keepServe({ store, api, log, waits, parts, signal }: Parts): void {
  const context = { store, log, waits, signal }
  const former = new Set<string>()
  const advertise = runFacet(advertiseFacet(api, former, signal), context)
  const serve = runFacet(
    serveFacet(
      api,
      () => store.world,
      ({ Services = {} }) => {
        const before = former.size
        for (const name of Object.keys(Services)) former.add(name)
        if (former.size > before) advertise.recheck()
      },
      signal,
    ),
    context,
  )
  parts.facets.push(serve, advertise)
  // Neither what others have it serve, nor what it hosts, is told by tailscaled. It hosts what its config file says at each reading.
  every(waits.look, signal, serve.recheck)
  every(waits.look, signal, advertise.recheck)
  let { config } = store.world.daemon
  store.watch(() => {
    if (store.world.daemon.config !== config) advertise.recheck()
    config = store.world.daemon.config
  }, signal)
  reportServe(store, log, signal)
}
