import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { notReady, renderChecks } from '../../../agent/status/checks.ts'
import { planDeviceConfig } from '../../../agent/device-config/reconciler.ts'
import { planForwarding } from '../../../agent/forwarding/reconciler.ts'
import { planStateSecret } from '../../../agent/state-secret/reconciler.ts'
import type { Environment } from '../../../agent/settings/read.ts'
import { followBus } from '../../../agent/tailscaled/bus.ts'
import { pollStatus } from '../../../agent/tailscaled/poll-status.ts'
import { tailnetKeeper } from '../../../agent/tailscaled/tailnet.ts'
import { needsPeers } from '../../../agent/targets/needs-peers.ts'
import { refusedLogin } from '../../../agent/tailscaled/one-step.ts'
import { statusView } from '../../../agent/status/status.ts'
import type { World } from '../../../agent/world/world.ts'
import { parseAddress, parsePrefix } from '../../../lib/address.ts'
import { entriesOf } from '../../../lib/layered-map.ts'
import type { LocalApi } from '../../../localapi/client.ts'
import { backendStates } from '../../../localapi/notify.ts'
import { noPeers } from '../../../localapi/peers.ts'
import { busLines, statusBodies } from '../../localapi/documents.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'
import { aContext } from '../a-context.ts'
import { aWorld } from '../a-world.ts'
import { observed } from './observed-store.ts'

const environments: readonly Environment[] = [
  {},
  { TS_USERSPACE: 'false', TS_DEST_IP: '10.0.0.9' },
  { TS_USERSPACE: 'false', TS_DEST_IP: '10.0.0.9,fd00::9', KUBERNETES_SERVICE_HOST: '10.0.0.1', POD_UID: 'u' },
  { TS_USERSPACE: 'false', TS_TAILNET_TARGET_FQDN: 'q.lab.ts.net' },
]

const since = (): undefined => undefined

/** Invariants of every World, for all its readers. */
function look(world: World): void {
  const { state, self, health, loginUrl, watching, peers, records } = world.tailnet
  if (state !== undefined) expect(backendStates).toContain(state)
  if (!watching) expect({ state, health }).toEqual({ state: undefined, health: new Map() })
  if (state === 'Running') expect(loginUrl).toBeUndefined()
  if (self !== undefined) {
    expect(self).toEqual({ id: expect.any(String), name: expect.any(String), addresses: expect.any(Array) })
    for (const address of self.addresses) expect(parseAddress(address.text)).toEqual(address)
  }
  for (const [, peer] of entriesOf(peers ?? noPeers)) {
    for (const address of peer.addresses) expect(parseAddress(address.text)).toEqual(address)
    for (const prefix of peer.allowed) expect(parsePrefix(prefix.text)).toEqual(prefix)
    expect(peer.nodeId ?? '1').toMatch(/^-?[1-9]\d*$/)
  }
  if (!needsPeers(world.settings)) expect([peers, records]).toEqual([undefined, undefined])
  for (const [code, text] of health)
    expect([typeof code, typeof text, text.length <= 1000]).toEqual(['string', 'string', true])
  expect(JSON.stringify(statusView(world, { version: '1', since, now: new Date(0) })).length).toBeLessThan(1_000_000)
  expect(renderChecks(world, since)).toContain(notReady(world).length === 0 ? 'check passed' : 'check failed')
  for (const plan of [planForwarding, planStateSecret, planDeviceConfig, refusedLogin]) plan(world)
}

/** Follows a bus with these watches, one after the other, and these answers to each `status`, to the last watch. */
async function follow(first: World, watches: readonly (readonly string[])[], bodies: readonly string[], cut: number) {
  const violations: unknown[] = []
  let opened = 0
  let asked = 0
  const answer = (): string => bodies[asked++ % bodies.length] ?? ''
  const api: Pick<LocalApi, 'get' | 'stream'> = {
    get: async () => answer(),
    stream: async (path) => {
      const lines = path === 'status' ? [answer()] : watches[opened++]
      if (lines === undefined) {
        stop.abort()
        throw new Error('it is over')
      }
      const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''))
      return (async function* () {
        for (let start = 0; start < bytes.length; start += cut) yield bytes.subarray(start, start + cut)
      })()
    },
  }
  const clock = new VirtualClock()
  const timings = { rewatch: 0, loginPoll: 0, statusPoll: 0, reread: 1_000_000_000 }
  const { context, store, lines, stop } = aContext(first, { timings, clock, api })
  const tailnet = tailnetKeeper(
    observed(store, (world) => {
      try {
        look(world)
      } catch (error) {
        // An error thrown here would be attributed to the source.
        violations.push(error)
      }
    }),
  )
  const following = Promise.all([followBus(context, tailnet), pollStatus(context, tailnet)])
  while (!stop.signal.aborted) await clock.next()
  await following
  expect(violations).toEqual([])
  return { world: store.world, lines }
}

it('any messages and any ends of watches give a valid World, and the last message counts', async () => {
  const last = { StableID: 'n9', Name: 'last.', Addresses: ['100.64.9.9/32'] }
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...environments),
      fc.array(
        fc.array(
          busLines.map((line) => line.replaceAll('\n', ' ')),
          { maxLength: 8 },
        ),
        { minLength: 1, maxLength: 4 },
      ),
      fc.array(statusBodies, { minLength: 1, maxLength: 3 }),
      fc.integer({ min: 1, max: 5000 }),
      async (env, watches, bodies, cut) => {
        const world = aWorld({ stateSecret: { name: 's', access: { patch: true, create: false } } }, env)
        const final = [...watches, [JSON.stringify({ InitialStatus: {} }), JSON.stringify({ SelfChange: last })]]
        const { world: end, lines } = await follow(world, final, bodies, cut)
        expect(end.tailnet.self).toEqual({ id: 'n9', name: 'last.', addresses: [{ family: 4, text: '100.64.9.9' }] })
        for (const line of lines) expect(line.length).toBeLessThan(2000)
      },
    ),
    { numRuns: 200 },
  )
})
