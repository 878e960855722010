import { describe, expect, it } from 'vitest'
import { followChecks } from '../../../agent/status/check-history.ts'
import { checks, notReady, renderChecks } from '../../../agent/status/checks.ts'
import { forwardingKey } from '../../../agent/forwarding/reconciler.ts'
import { stateSecretKey } from '../../../agent/state-secret/reconciler.ts'
import type { World } from '../../../agent/world/world.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'
import { aContext } from '../a-context.ts'
import { aWorld, self } from '../a-world.ts'
import { aServingWorld } from '../serve/a-serving-world.ts'

const running = aWorld()
const refusedLogin = new Map([['login-state', 'You are logged out. The last login error was: invalid key']])

describe('the reason why the agent is not ready', () => {
  it.each<[string, World, RegExp | undefined]>([
    ['everything in place', running, undefined],
    ['userspace without forwarding', aWorld({ reports: {} }, {}), undefined],
    ['stopping', aWorld({ lifecycle: { stopping: 'received SIGTERM' } }), /stopping: received SIGTERM/],
    [
      'the daemon down',
      aWorld({ daemon: { phase: 'down', restarts: 1, problem: 'tailscaled was ended by SIGKILL' } }),
      /ended by SIGKILL/,
    ],
    [
      'the bus closed',
      { ...running, tailnet: { watching: false, self, noSnat: false, health: new Map() } },
      /tailscaled is running/,
    ],
    [
      'no login',
      { ...running, tailnet: { ...running.tailnet, state: 'NeedsLogin', loginUrl: 'https://x' } },
      /log in at https:\/\/x/,
    ],
    ['no approval', { ...running, tailnet: { ...running.tailnet, state: 'NeedsMachineAuth' } }, /approval/],
    ['no address', aWorld({ tailnet: { ...running.tailnet, self: { ...self, addresses: [] } } }), /no address/],
    ['no rules yet', aWorld({ reports: {} }), /not in place yet/],
    [
      'rules of previous addresses',
      {
        ...running,
        tailnet: { ...running.tailnet, self: { ...self, addresses: [{ family: 4, text: '100.64.0.2' }] } },
      },
      /not in place yet/,
    ],
    [
      'rules refused',
      aWorld({ reports: { [forwardingKey.name]: { desired: {}, repairs: 0, failures: 0, error: 'nft failed' } } }),
      /forwarding: nft failed/,
    ],
    ['only unreachable targets', aWorld({ kernelFamilies: [] }), /no target can be reached/],
    [
      'another auth key requested',
      aWorld({
        reissue: { refusedKey: 'k', reason: 'invalid key' },
        tailnet: { ...running.tailnet, state: 'NeedsLogin' },
      }),
      /waiting for another auth key.*invalid key/,
    ],
  ])('%s', (_name, value, reason) => {
    if (reason === undefined) expect(notReady(value)).toEqual([])
    else expect(notReady(value).join('\n')).toMatch(reason)
  })
})

describe('a check', () => {
  it.each<[string, World, string, string]>([
    ['of a starting daemon', aWorld({ daemon: { phase: 'starting', restarts: 0 } }), 'tailscaled', 'waiting'],
    [
      'of a refused login',
      { ...running, tailnet: { ...running.tailnet, state: 'NoState', health: refusedLogin } },
      'tailscaled',
      'failing',
    ],
    ['of a Secret that has not been read yet', aWorld({ stateSecret: { name: 's' } }), stateSecretKey.name, 'waiting'],
    [
      'of an unreachable API server',
      aWorld({ stateSecret: { name: 's', access: { patch: true, create: false }, problem: 'refused' } }),
      stateSecretKey.name,
      'failing',
    ],
    [
      'of a lost identity',
      aWorld({ stateSecret: { name: 's', access: { patch: true, create: false }, broken: 'gone' } }),
      stateSecretKey.name,
      'failing',
    ],
    [
      'of a readable Secret',
      aWorld({ stateSecret: { name: 's', access: { patch: false, create: false } } }),
      stateSecretKey.name,
      'ok',
    ],
  ])('%s', (_name, value, name, state) => {
    expect(checks(value).find((check) => check.name === name)?.state).toBe(state)
  })

  it.each([
    [true, 'ok'],
    [false, 'failing'],
    [undefined, undefined],
  ])('of the connection to the control server: %s', (online, state) => {
    const tailnet = { ...running.tailnet, ...(online !== undefined && { online }) }
    const world = { ...running, tailnet }
    expect(checks(world).find(({ name }) => name === 'control-server')?.state).toBe(state)
    expect(notReady(world)).toEqual([])
  })

  it('of the Secret does not affect readiness', () => {
    const world = aWorld({ stateSecret: { name: 's', access: { patch: true, create: false }, problem: 'refused' } })
    expect(notReady(world)).toEqual([])
    expect(renderChecks(world, () => undefined)).toMatch(
      /^\[!\]state-secret failing since .*: refused \(traffic does not depend on it\)$/m,
    )
    expect(renderChecks(world, () => undefined)).toMatch(/^readyz check passed$/m)
  })

  it('has the time since when it fails', async () => {
    const clock = new VirtualClock()
    const { context, store } = aContext(running, { clock })
    const since = followChecks(context)
    const began = clock.date()
    expect(since('tailscaled')).toEqual(began)
    expect(renderChecks(store.world, since)).toMatch(
      /^\[\+\]tailscaled ok\n.*\n\[\+\]forwarding ok\nreadyz check passed$/m,
    )
    await clock.advance(5000)
    const failed = clock.date()
    store.update((world) => ({ ...world, daemon: { phase: 'down', restarts: 0, problem: 'killed' } }))
    await clock.advance(5000)
    expect(renderChecks(store.world, since)).toContain(`[-]tailscaled failing since ${failed.toISOString()}: `)
    store.update((world) => ({ ...world, daemon: { phase: 'down', restarts: 1, problem: 'killed again' } }))
    await clock.advance(5000)
    expect([since('tailscaled'), since('forwarding')]).toEqual([failed, began])
  })
})

it('of a serve config fails readiness when every entry is rejected', () => {
  const world = aServingWorld({ config: {}, served: {} })
  const rejections = [{ entry: 'port 443', field: 'TCP["443"]', reason: 'it has 0 of HTTPS, HTTP and TCPForward' }]
  const mounted = { serveConfig: { content: { config: {}, rejections, warnings: [] } } }
  const serve = (one: World) => checks(one).find(({ name }) => name === 'serve')
  expect(serve(world)).toMatchObject({ state: 'ok' })
  expect(serve({ ...world, mounted })).toMatchObject({
    state: 'failing',
    gates: true,
    reason: expect.stringMatching(/^nothing is served: .*port 443/),
  })
})
