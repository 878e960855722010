import { forwardingKey, planForwarding } from '../../agent/forwarding/reconciler.ts'
import { type Environment, readSettings } from '../../agent/settings/read.ts'
import type { Report, Reports } from '../../agent/world/reports.ts'
import { initialWorld, type World } from '../../agent/world/world.ts'

export const self = { id: 'n1', name: 'p.lab.ts.net.', addresses: [{ family: 4 as const, text: '100.64.0.1' }] }

/** The report of a reconciler that has achieved its desired state, unless `change` says otherwise. */
export const aReport = (desired: unknown, change: Partial<Report<unknown>> = {}): Report<unknown> => ({
  desired,
  verified: desired,
  verifiedAt: new Date(0),
  repairs: 0,
  failures: 0,
  ...change,
})

/** A healthy World, running and with its rules in place, unless `change` says otherwise. */
export function aWorld(
  change: Partial<World> = {},
  env: Environment = { TS_USERSPACE: 'false', TS_DEST_IP: '10.0.0.9' },
): World {
  const base: World = {
    ...initialWorld(readSettings(env).settings, [4, 6]),
    daemon: { phase: 'running', restarts: 0, pid: 7 },
    tailnet: { watching: true, state: 'Running', self, noSnat: false, health: new Map() },
    contact: { services: new Set(), since: new Date(0) },
    ...change,
  }
  return change.reports ? base : { ...base, reports: withRules(base) }
}

const withRules = (world: World): Reports => ({ [forwardingKey.name]: aReport(planForwarding(world)) })
