import type { RequestListener } from 'node:http'
import { afterEach } from 'vitest'
import { type Clock, systemClock } from '../../../lib/clock.ts'
import { type Route, serve } from '../../../lib/http-server.ts'
import { preshutdownRoute } from '../../../agent/preshutdown/route.ts'
import type { Timings } from '../../../agent/world/timings.ts'
import type { World } from '../../../agent/world/world.ts'
import { poll } from '../../lab/poll.ts'
import { ask, onLoopback } from '../../lib/http-servers.ts'
import { aContext } from '../a-context.ts'

const path = '/internal-egress-services-preshutdown'
export const safe = { status: 200, body: 'safe to terminate\n' }
const closing: (() => void)[] = []
afterEach(() => {
  for (const end of closing.splice(0)) end()
})

/** A server on the loopback device for the duration of a test. */
export async function open(listener: RequestListener): Promise<string> {
  const { server, address } = await onLoopback(listener)
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return address
}

/** The Pod's own endpoint, and what a test sees of it. */
export async function pod(world: World, change: Partial<Timings> = {}, clock: Clock = systemClock) {
  // There is no kube-proxy here, so nothing has to settle. On a busy machine an answer may take any time.
  const ample = { drainPing: 600_000, drainSilence: 600_000, drainLimit: 600_000 }
  const { context, store, lines, stop } = aContext(world, {
    timings: { ...ample, drainSettle: 20, ...change },
    clock,
  })
  closing.push(() => stop.abort())
  const route: Route = preshutdownRoute(context)
  const address = await open(serve({ [path]: route }))
  return { store, lines, stop, hook: (signal?: AbortSignal) => ask(address, path, signal ? { signal } : {}) }
}

export const until = (what: string, condition: () => boolean): Promise<true> =>
  poll(what, () => condition() || undefined)

/** A Pod's address; or `hang` for a server that never answers, and `cut` for one that closes the connection. */
export type Behind = string

/** A load balancer that gives each connection to the next of these Pods. */
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
