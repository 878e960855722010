import { forwardingName, planForwarding } from '../../agent/forwarding/reconciler.ts'
import { type Environment, readSettings } from '../../agent/settings/read.ts'
import { initialWorld, type World } from '../../agent/world/world.ts'

export const self = { id: 'n1', name: 'p.lab.ts.net.', addresses: [{ family: 4 as const, text: '100.64.0.1' }] }

/** A World in which all is well: running, and the rules in place, unless `change` says otherwise. */
export function aWorld(
  change: Partial<World> = {},
  env: Environment = { TS_USERSPACE: 'false', TS_DEST_IP: '10.0.0.9' },
): World {
  const base: World = {
    ...initialWorld(readSettings(env).settings, [4, 6]),
    daemon: { phase: 'running', restarts: 0, pid: 7 },
    tailnet: { watching: true, state: 'Running', self, noSnat: false, health: new Map() },
    contactedAt: new Date(0),
    ...change,
  }
  return change.facets
    ? base
    : {
        ...base,
        facets: {
          [forwardingName]: { desired: planForwarding(base), repairs: 0, failures: 0, verifiedAt: new Date(0) },
        },
      }
}
