import type { Progress } from '../../test/lab/progress.ts'
import { startBenchBed } from '../bench-bed.ts'
import type { Contestant } from '../contestant.ts'
import { buildProbe } from '../egress/probe.ts'
import { startEgressBed } from '../egress/replica.ts'
import { inBed } from '../in-bed.ts'
import type { Side } from '../pair.ts'
import type { Section } from '../section.ts'
import { type AgentsSize, measureAgents } from './agents.ts'
import { measureByName } from './by-name.ts'
import { measureRules, type RulesSize, startLinks } from './rules.ts'

export type IptablesSize = {
  readonly agents: AgentsSize
  readonly rules: RulesSize
  readonly byName: number
}

/** The number of progress steps of `measureIptables`. */
export const iptablesSteps = 7

/** Both agents in iptables mode: ProxyGroup egress, then only the rules that they made for it, then ingress by name. */
export async function measureIptables(
  all: Readonly<Record<Side, Contestant>>,
  size: IptablesSize,
  steps: Progress,
): Promise<Section[]> {
  const [ours, upstream] = [withIptables(all.ours), withIptables(all.upstream)]
  const probe = await steps.step('build what sends packets', buildProbe)
  const { recordings, sections } = await inBed(steps.step('start a tailnet and an API server', startEgressBed), (bed) =>
    steps.step('agents with iptables', (note) => measureAgents(bed, { ours, upstream }, probe, size.agents, note)),
  )
  const rules = await inBed(
    steps.step('start plain links', () => startLinks(recordings)),
    (bed) => steps.step('rules of iptables', (note) => measureRules(bed, recordings, probe, size.rules, note)),
  )
  const byName = await inBed(
    steps.step('start the tailnet', () => startBenchBed()),
    (bed) => steps.step('a name’s address', (note) => measureByName(bed, ours, size.byName, note)),
  )
  return [rules, ...sections, byName]
}

const withIptables = (one: Contestant): Contestant => ({
  ...one,
  env: { ...one.env, TS_DEBUG_FIREWALL_MODE: 'iptables' },
})
