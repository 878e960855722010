import { rangeText } from '../../netfilter/port-ranges.ts'
import type { LogEvent } from '../../lib/log-event.ts'
import { listed } from '../../lib/some.ts'
import { targetsOf } from '../targets/destination.ts'
import { ingressPorts, portProblems } from '../targets/ports.ts'
import type { Context } from '../world/context.ts'
import { logProblems } from '../world/log-problems.ts'
import type { World } from '../world/world.ts'
import { events } from './log-events.ts'

/** Logs what is forwarded without rules from now on, until `signal` aborts. */
export function reportRelay(context: Pick<Context, 'store' | 'log' | 'clock' | 'signal'>): void {
  const { store, log, signal } = context
  const problems = logProblems('the ports of L3 ingress', events.problem, context)
  let said: string | undefined
  let evicted = 0
  let counts: unknown
  let full: string[] = []
  const look = (): void => {
    const line = lineOf(store.world)
    if (line !== undefined && line.text !== said) log(line)
    said = line?.text
    const { settings, relay } = store.world
    if (relay.counts !== undefined && relay.counts !== counts) {
      counts = relay.counts
      full = relay.counts.udp.evicted > evicted ? [tooMany(relay.counts.udp.sessions)] : []
      evicted = relay.counts.udp.evicted
    }
    // With rules, those of the ports are logged with these.
    problems([...full, ...(settings.userspace ? portProblems(store.world) : [])])
  }
  store.watch(look, signal)
  look()
}

const tooMany = (sessions: number): string =>
  `${sessions} clients have sent datagrams in the last two minutes, and there may be no more: those that were idle longest are given up`

function lineOf(world: World): LogEvent | undefined {
  const { byServe, byRelay } = ingressPorts(world)
  const targets = targetsOf(world).map(({ text }) => text)
  const ports = [...byServe, ...byRelay].map(rangeText)
  if (targets.length === 0 || ports.length === 0) return undefined
  const how = world.settings.userspace ? 'without a TUN device' : 'with the PROXY protocol'
  return events.forwards({ ports: listed(ports), targets: listed(targets), how })
}
