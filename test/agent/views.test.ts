import { describe, expect, it } from 'vitest'
import { forwardingName, planForwarding } from '../../agent/facets/forwarding.ts'
import { type Environment, readSettings } from '../../agent/settings/read.ts'
import { notReady, statusView } from '../../agent/views.ts'
import type { World } from '../../agent/world.ts'

const self = { id: 'n1', name: 'p.lab.ts.net.', addresses: [{ family: 4 as const, text: '100.64.0.1' }] }

function world(
  change: Partial<World> = {},
  env: Environment = { TS_USERSPACE: 'false', TS_DEST_IP: '10.0.0.9' },
): World {
  const base: World = {
    settings: readSettings(env).settings,
    kernelFamilies: [4, 6],
    daemon: { phase: 'running', restarts: 0, pid: 7 },
    tailnet: { watching: true, state: 'Running', self, noSnat: false, health: new Map() },
    facets: {},
    ...change,
  }
  return change.facets
    ? base
    : { ...base, facets: { [forwardingName]: { desired: planForwarding(base), repairs: 0, verifiedAt: new Date(0) } } }
}

const running = world()

describe('notReady', () => {
  it.each<[string, World, RegExp | undefined]>([
    ['everything in place', running, undefined],
    ['userspace without forwarding', world({ facets: {} }, {}), undefined],
    ['stopping', world({ stopping: 'received SIGTERM' }), /stopping: received SIGTERM/],
    [
      'the daemon down',
      world({ daemon: { phase: 'down', restarts: 1, problem: 'tailscaled was ended by SIGKILL' } }),
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
    ['no address', world({ tailnet: { ...running.tailnet, self: { ...self, addresses: [] } } }), /no address/],
    ['no rules yet', world({ facets: {} }), /not in place yet/],
    [
      'rules of former addresses',
      {
        ...running,
        tailnet: { ...running.tailnet, self: { ...self, addresses: [{ family: 4, text: '100.64.0.2' }] } },
      },
      /not in place yet/,
    ],
    [
      'rules refused',
      world({ facets: { [forwardingName]: { desired: {}, repairs: 0, error: 'nft failed' } } }),
      /forwarding: nft failed/,
    ],
    ['no target possible', world({ kernelFamilies: [] }), /no target can be reached/],
  ])('%s', (_name, value, reason) => {
    if (reason === undefined) expect(notReady(value)).toEqual([])
    else expect(notReady(value).join('\n')).toMatch(reason)
  })
})

it('the status has no secret', () => {
  const env = { TS_USERSPACE: 'false', TS_DEST_IP: '10.0.0.9', TS_AUTHKEY: 'tskey-secret' }
  expect(JSON.stringify(statusView(world({}, env), '1'))).not.toContain('tskey-secret')
})
