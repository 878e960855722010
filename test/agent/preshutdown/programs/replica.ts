// Runs in a host: node replica.ts URLS (JSON, the services' health URLs by name) TIMINGS (JSON, overrides)
// A replica's listener with all its routes, of an agent whose node is up; its addresses are POD_IPS. Prints its log,
// and the changes of its readiness and of the wait.
import { listeners, openListener } from '../../../../agent/endpoints/listener.ts'
import { preshutdownRoute } from '../../../../agent/preshutdown/route.ts'
import { timings, type Timings } from '../../../../agent/world/timings.ts'
import { aContext } from '../../a-context.ts'
import { aDrainingWorld } from '../a-draining-world.ts'
import { acceptsConnections } from '../accepts-connections.ts'

const [urls = '{}', change = '{}'] = process.argv.slice(2)
const world = aDrainingWorld(JSON.parse(urls) as Record<string, string>, { POD_IPS: process.env['POD_IPS'] ?? '' }, 6)
const { context, store, stop } = aContext(world, {
  timings: { ...timings, ...(JSON.parse(change) as Partial<Timings>) },
})
process.on('SIGTERM', () => {
  stop.abort()
  // The agent's own stop leaves some time for the last answers, too.
  setTimeout(() => process.exit(), 300)
})
const preshutdown = preshutdownRoute({ ...context, log: ({ text }) => console.log(text) })
const observed = { world: () => store.world, stuck: () => [], since: () => undefined, named: String }
const none = () => ({ status: 404, body: 'none' })
for (const listener of listeners(world.settings, observed, none, preshutdown)) await openListener(listener, () => {})
const show = (): void =>
  console.log(
    `${acceptsConnections(store.world) ? 'accepting' : 'refusing'}, ${store.world.preshutdown?.phase ?? 'not waiting'}`,
  )
store.watch(show, stop.signal)
console.log('listening')
