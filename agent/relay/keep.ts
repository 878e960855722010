import { isDeepStrictEqual } from 'node:util'
import { TcpRelay } from '../../relay/tcp.ts'
import { UdpRelay } from '../../relay/udp.ts'
import { isGoneBackend, targetsOf } from '../targets/destination.ts'
import type { Context } from '../world/context.ts'
import { openFiles, portCount, portLimits, relayLimits } from './limits.ts'
import { relayReconciler } from './reconciler.ts'
import { reportRelay } from './report.ts'

/** How long a backend may take to accept a connection, in ms; as long as tailscaled waits for one. */
const connectMs = 10_000
/** As tailscaled ends idle sessions of its own side, in ms. */
const idleMs = 120_000
/** Idle sessions are ended, and counts published, this often, in ms. */
const tickMs = 5000

/** Forwards the ports of L3 ingress for which there are no rules, until the agent stops. */
export function keepRelay(context: Context): void {
  const { store, clock, signal, run } = context
  const write = store.writer('relay')
  const files = openFiles()
  const { connections, sessions } = relayLimits(files, portCount(store.world, files))
  const tcp = new TcpRelay({ connectMs, limit: connections })
  const udp = new UdpRelay({ limit: sessions, idleMs }, clock.now)
  const world = () => store.world
  const opened = (ports: ReadonlyMap<number, number>): void => write((now) => ({ ...now, ports }))
  run(relayReconciler({ tcp, udp, limits: portLimits(files), world, opened }))
  reportRelay(context)

  let targets = targetsOf(store.world)
  let left = store.world.destination?.left
  store.watch(() => {
    const now = store.world
    if (targetsOf(now) !== targets) {
      targets = targetsOf(now)
      udp.endWhere(({ address }) => targets.every(({ text }) => text !== address.text))
    }
    if (now.destination?.left !== left) {
      left = now.destination?.left
      tcp.endWhere(({ address }) => isGoneBackend(now, address))
    }
  }, signal)
  clock.every(tickMs, signal, () => {
    udp.sweep()
    const counts = { tcp: tcp.counts(), udp: udp.counts() }
    write((now) => (isDeepStrictEqual(now.counts, counts) ? now : { ...now, counts }))
  })
}
