import { afterEach, expect, it } from 'vitest'
import { planForwarding, forwardingKey } from '../../../agent/forwarding/reconciler.ts'
import { planRelay, relayKey } from '../../../agent/relay/reconciler.ts'
import { started } from '../../../agent/lifecycle/started.ts'
import type { World } from '../../../agent/world/world.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'
import { aContext } from '../a-context.ts'
import { aReport, aWorld, self } from '../a-world.ts'

let end = (): void => {}
afterEach(() => end())

function start(world: World) {
  const clock = new VirtualClock()
  const { context, store, lines, stop } = aContext(world, { clock })
  end = () => stop.abort()
  const outcome: { is?: string } = {}
  started(context).then(
    () => (outcome.is = 'complete'),
    (error: unknown) => (outcome.is = String(error)),
  )
  return { clock, store, lines, outcome }
}

it('waits for the node to run, and for the first attempt at its rules, failed or not', async () => {
  const world = aWorld({ daemon: { phase: 'login', restarts: 0 }, reports: {} })
  const { clock, store, outcome } = start(world)
  await clock.advance(60_000)
  expect(outcome.is).toBeUndefined()
  store.update((now) => ({ ...now, daemon: { phase: 'running', restarts: 0 } }))
  await clock.advance(60_000)
  expect(outcome.is).toBeUndefined()
  const report = aReport(planForwarding(store.world), { error: 'refused' })
  store.update((now) => ({ ...now, reports: { [forwardingKey.name]: report } }))
  await clock.settle()
  expect(outcome.is).toBe('complete')
})

it('does not wait for rules without any, but for the keys of the Secret', async () => {
  const env = { TS_USERSPACE: 'true', KUBERNETES_SERVICE_HOST: '10.96.0.1', TS_KUBE_SECRET: 'proxy' }
  const stateSecret = { name: 'proxy', access: { patch: true, create: false } }
  const { clock, store, outcome } = start(aWorld({ reports: {}, stateSecret }, env))
  await clock.advance(60_000)
  expect(outcome.is).toBeUndefined()
  store.update((now) => ({ ...now, stateSecret: { ...stateSecret, access: { patch: false, create: false } } }))
  await clock.settle()
  expect(outcome.is).toBe('complete')
})

it('neither waits for a name that cannot be resolved, nor fails for one whose addresses cannot be reached', async () => {
  const env = { TS_USERSPACE: 'false', TS_EXPERIMENTAL_DEST_DNS_NAME: 'db.test' }
  const unresolved = start(aWorld({ reports: {} }, env))
  await unresolved.clock.settle()
  expect(unresolved.outcome.is).toBe('complete')
  end()
  const addresses = [{ family: 6 as const, text: 'fd00::9' }]
  const resolved = { as: 'db.test.', at: new Date(0) }
  const unreachable = start(aWorld({ destination: { addresses, left: [], refused: [], failures: 0, resolved } }, env))
  await unreachable.clock.settle()
  expect(unreachable.outcome.is).toBe('complete')
})

it('fails when no target can ever be reached, with upstream’s log line', async () => {
  const six = [{ family: 6 as const, text: 'fd7a:115c:a1e0::1' }]
  const tailnet = { ...aWorld().tailnet, self: { ...self, addresses: six } }
  const { clock, outcome } = start(aWorld({ tailnet }))
  await clock.settle()
  expect(outcome.is).toMatch(/no forwarding rules for TS_DEST_IP: 10\.0\.0\.9: the node has no IPv4 address/)
})

it('waits for the ports that the agent forwards itself, and refuses a tailscaled without the PROXY protocol', async () => {
  const env = { TS_DEST_IP: '10.0.0.9', CULVERT_DEST_PORTS: 'tcp/80,udp/53', CULVERT_PROXY_PROTOCOL: '2' }
  const world = aWorld({ reports: {} }, env)
  const { clock, store, outcome } = start(world)
  await clock.advance(60_000)
  expect(outcome.is).toBeUndefined()
  store.update((now) => ({ ...now, reports: { [relayKey.name]: aReport(planRelay(now)) } }))
  await clock.advance(60_000)
  expect(outcome.is).toBeUndefined()
  store.update((now) => ({ ...now, tailnet: { ...now.tailnet, version: '1.90.9-t0123abcd' } }))
  await clock.settle()
  expect(outcome.is).toMatch(/CULVERT_PROXY_PROTOCOL needs tailscaled 1\.92 or later, and this is 1\.90\.9/)
})
