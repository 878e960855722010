import type { RequestListener } from 'node:http'
import { afterEach } from 'vitest'
import { type Route, serve } from '../../../agent/endpoints/http.ts'
import type { Parts } from '../../../agent/preshutdown/phases.ts'
import { preshutdownRoute } from '../../../agent/preshutdown/route.ts'
import { shortWaits, type Waits } from '../../../agent/world/timings.ts'
import { createStore, type World } from '../../../agent/world/world.ts'
import type { Log } from '../../../lib/log.ts'
import { poll } from '../../lab/poll.ts'
import { ask, onLoopback } from '../endpoints/servers.ts'

const path = '/internal-egress-services-preshutdown'
export const safe = { status: 200, body: 'safe to terminate\n' }
const closing: (() => void)[] = []
afterEach(() => {
  for (const end of closing.splice(0)) end()
})

/** A server on the loopback device for the length of a test. */
export async function open(listener: RequestListener): Promise<string> {
  const { server, address } = await onLoopback(listener)
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return address
}

/** The Pod's own endpoint, with all that can be seen of it. */
export async function pod(world: World, change: Partial<Waits> = {}, endFlows: Parts['endFlows'] = async () => 0) {
  const store = createStore(world)
  const lines: string[] = []
  const stop = new AbortController()
  closing.push(() => stop.abort())
  // Nobody routes anywhere here, so that nothing has to settle.
  const waits = { ...shortWaits, drainSettle: 20, ...change }
  const log: Log = (text) => void lines.push(text)
  const route: Route = preshutdownRoute({ store, waits, signal: stop.signal, log, endFlows })
  const address = await open(serve({ [path]: route }))
  return { store, lines, stop, hook: (signal?: AbortSignal) => ask(address, path, signal ? { signal } : {}) }
}

export const until = (what: string, condition: () => boolean): Promise<true> =>
  poll(what, 10_000, () => condition() || undefined)

/** A Pod's address; or `hang` for what never answers, and `cut` for what closes the connection. */
export type Behind = string

/** A load balancer: each connection gets to the next of the Pods behind it, given as their addresses. */
export function balancer(...pods: Behind[]) {
  const seen = { all: 0, atOnce: 0, most: 0 }
  const listener: RequestListener = (_request, response) => {
    const next = pods[seen.all % pods.length]
    seen.all += 1
    seen.atOnce += 1
    seen.most = Math.max(seen.most, seen.atOnce)
    response.on('close', () => (seen.atOnce -= 1))
    if (next === 'cut') response.destroy()
    else if (next !== 'hang') setTimeout(() => response.writeHead(200, { 'Pod-IPv4': next }).end(), 2)
  }
  return { listener, seen, lead: (...to: Behind[]) => pods.splice(0, pods.length, ...to) }
}

export const other = '10.0.0.2'
export const urlsOf = (count: number, address: string): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`s${index}`, `http://${address}/${index}`]))
