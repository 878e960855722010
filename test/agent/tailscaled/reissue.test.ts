import { afterEach, beforeEach, expect, it } from 'vitest'
import { reissueRefusedKey } from '../../../agent/tailscaled/reissue.ts'
import { timings } from '../../../agent/world/timings.ts'
import type { DeviceConfig, World } from '../../../agent/world/world.ts'
import { parseDeviceConfig } from '../../../wire/device-config.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'
import { aContext } from '../a-context.ts'
import { aWorld } from '../a-world.ts'

const configWith = (authKey: string): DeviceConfig => {
  const bytes = Buffer.from(JSON.stringify({ version: 'alpha0', authKey }))
  return { path: '/config/cap-142.hujson', cap: 142, bytes, config: parseDeviceConfig('/config/cap-142.hujson', bytes) }
}
const inPod = { TS_USERSPACE: 'true', KUBERNETES_SERVICE_HOST: '10.96.0.1', TS_KUBE_SECRET: 'proxy-0' }

let clock: VirtualClock
let stop: AbortController
beforeEach(() => (clock = new VirtualClock()))
afterEach(() => stop.abort())

function start(env: Record<string, string>, change: Partial<World> = {}) {
  const asked: string[] = []
  const api = { post: async (path: string) => (asked.push(path), '') }
  const world = aWorld(
    {
      tailnet: { watching: true, noSnat: false, health: new Map() },
      deviceConfig: { file: { content: configWith('tskey-auth-old') } },
      stateSecret: { name: 'proxy-0', access: { patch: true, create: false } },
      ...change,
    },
    env,
  )
  const made = aContext(world, { clock, timings, api })
  stop = made.stop
  const ended: { outcome?: string } = {}
  reissueRefusedKey(made.context).then(
    (reason) => (ended.outcome = reason),
    (error: unknown) => (ended.outcome = String(error)),
  )
  const refuse = async (): Promise<void> => {
    made.store.update((now) => ({
      ...now,
      tailnet: { ...now.tailnet, state: 'NeedsLogin', health: new Map([['login-state', 'invalid key: spent']]) },
    }))
    await clock.settle()
  }
  const mount = async (authKey: string): Promise<void> => {
    made.store.update((now) => ({ ...now, deviceConfig: { file: { content: configWith(authKey) } } }))
    await clock.settle()
  }
  return { ...made, asked, ended, refuse, mount }
}

it('writes a request to the Secret, with tailscaled disconnected, and ends successfully when another key comes', async () => {
  const { store, asked, ended, lines, refuse, mount } = start(inPod)
  await clock.advance(60_000)
  expect([asked, store.world.reissue]).toEqual([[], undefined])
  await refuse()
  expect(asked).toEqual(['disconnect-control'])
  expect(store.world.reissue).toEqual({ refusedKey: 'tskey-auth-old', reason: 'invalid key: spent' })
  await mount('tskey-auth-old')
  expect(ended.outcome).toBeUndefined()
  await mount('tskey-auth-new')
  expect(ended.outcome).toBe('another auth key was received')
  expect(lines.join('\n')).not.toContain('tskey')
})

it('ends with the reason when none comes in time', async () => {
  const { ended, refuse } = start(inPod)
  await refuse()
  await clock.advance(timings.reissue - 1)
  expect(ended.outcome).toBeUndefined()
  await clock.advance(1)
  expect(ended.outcome).toMatch(/no other auth key came within 10 minutes; login failed: invalid key: spent/)
})

it('ends at once when there is no Secret to write to', async () => {
  const { asked, ended, refuse } = start(inPod, {
    stateSecret: { name: 'proxy-0', access: { patch: false, create: false } },
  })
  await refuse()
  expect([asked, ended.outcome]).toEqual([[], expect.stringMatching(/login failed: invalid key: spent/)])
})
