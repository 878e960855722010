// Runs inside a host: node replica.ts URLS (JSON, the services' health URLs by name) WAITS (JSON, what differs)
// A replica's listener with all its routes, of an agent whose node is up; its addresses are POD_IPS. Prints its log, and
// what becomes of its readiness.
import { listeners, openListener } from '../../../../agent/endpoints/listener.ts'
import { draining } from '../../../../agent/preshutdown/preshutdown.ts'
import { preshutdownRoute } from '../../../../agent/preshutdown/route.ts'
import { waits, type Waits } from '../../../../agent/world/timings.ts'
import { createStore } from '../../../../agent/world/world.ts'
import { aDrainingWorld } from '../a-draining-world.ts'

const [urls = '{}', change = '{}'] = process.argv.slice(2)
const stop = new AbortController()
process.on('SIGTERM', () => {
  stop.abort()
  // As the agent's own stop leaves some time for the last answers.
  setTimeout(() => process.exit(), 300)
})
const world = aDrainingWorld(JSON.parse(urls) as Record<string, string>, { POD_IPS: process.env['POD_IPS'] ?? '' }, 6)
const store = createStore(world)
const preshutdown = preshutdownRoute({
  store,
  log: (text) => console.log(text),
  waits: { ...waits, ...(JSON.parse(change) as Partial<Waits>) },
  endFlows: async () => 0,
  signal: stop.signal,
})
const observed = { world: () => store.world, stuck: () => [] }
const none = () => ({ status: 404, body: 'none' })
for (const listener of listeners(world.settings, observed, none, preshutdown)) await openListener(listener)
store.watch(() => console.log(`readiness: ${draining(store.world) ?? 'up'}`), stop.signal)
console.log('listening')
