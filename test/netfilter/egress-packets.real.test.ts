import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import type { RunCommand } from '../../lib/command.ts'
import { emptyTable } from '../../netfilter/table.ts'
import { firewall } from '../agent/firewall.ts'
import { startCapture } from '../lab/traffic/capture.ts'
import { startEcho, startTraffic } from '../lab/traffic/traffic.ts'
import { printLogsOnFailure } from '../lab/vitest.ts'
import { exchangeSlowRules, exchangeUnderLoad, rulesOf, toPeer } from './exchanges.ts'
import { runIn } from './run-in.ts'
import { peer, startTunnelBed, type TunnelBed } from './tunnel-bed.ts'

// Packets from the cluster through the rules, without a tailnet.
let bed: TunnelBed
beforeAll(async () => {
  bed = await startTunnelBed()
  await startEcho(bed.host('peer'), { ports: [7000, 7001] })
})
afterAll(async () => bed.down())
beforeEach(() => printLogsOnFailure(bed))

const node = () => bed.host('node').address
const runInNode = runIn(() => bed.host('node'))
const gone = () => true

it('no packet leaves in the clear while a target is removed, whenever the tunnel loses its route to it', async () => {
  const routes = async (verb: 'add' | 'del'): Promise<void> => {
    for (const to of [peer.v4, peer.v6]) await bed.host('node').exec(['ip', 'route', verb, to, 'dev', 'tailscale0'])
  }
  /** The route is removed after this many commands. */
  let left = Infinity
  const run: RunCommand = async (program, args, options) => {
    const result = await runInNode(program, args, options)
    left -= 1
    if (left === 0) await routes('del')
    // So that packets pass between any two steps.
    if (left < 100) await delay(30)
    return result
  }
  // Without ICMP: the kernel itself refuses an answer that comes when its flow has gone, as on a busy machine.
  const outside = await startCapture(bed.host('node'), 'eth0', `udp and (host ${peer.v4} or host ${peer.v6})`)
  for (let moment = 1; ; moment += 1) {
    const rules = rulesOf(bed, run, firewall)
    left = Infinity
    await rules.ensure(toPeer([7000]), gone)
    const traffic = await Promise.all(
      [node().v4, node().v6].map((to) =>
        startTraffic(bed.host('backend'), { to: String(to), protocol: 'udp', every: 5, patience: 100 }),
      ),
    )
    await expect.poll(() => traffic.every(({ report }) => (report?.answered ?? 0) > 20)).toBe(true)
    left = moment
    await rules.ensure(emptyTable, gone)
    await delay(50)
    for (const flow of traffic) await flow.stop()
    expect(outside.packets, `the route was removed after ${moment} commands`).toEqual([])
    if (left > 0) break
    await routes('add')
  }
  await outside.stop()
  await rulesOf(bed, runInNode, firewall).remove()
})

it('20 replacements of all rules lose no packet of 1,000 ports under load', () => exchangeUnderLoad(bed, 20, firewall))

it('replacing all rules refuses no new connection, however long each takes to evaluate', () =>
  exchangeSlowRules(bed, 40))
