import type { Contestant } from '../contestant.ts'
import { inBed } from '../in-bed.ts'
import type { Side } from '../pair.ts'
import type { Section } from '../section.ts'
import type { Size } from '../size.ts'
import type { Progress } from '../../test/lab/progress.ts'
import { measureAdding } from './adding.ts'
import { measureAgents } from './agents.ts'
import { measureBefore } from './before.ts'
import { measureEndToEnd } from './end-to-end.ts'
import { startLinkBed } from './links.ts'
import { measureLoading } from './loading.ts'
import { measurePackets } from './packets.ts'
import { buildProbe } from './probe.ts'
import { recordUpstream } from './record.ts'
import { startEgressBed } from './replica.ts'
import { ownAddress, rulesSetup } from './rules.ts'
import { measureStreams } from './streams.ts'

/** The number of progress steps of `measureEgress`. */
export const egressSteps = 10

/**
 * ProxyGroup egress: both agents in one bed, where upstream's rules are recorded, and then only the rules of both in
 * another.
 */
export async function measureEgress(
  all: Readonly<Record<Side, Contestant>>,
  size: Size['egress'],
  steps: Progress,
): Promise<Section[]> {
  const probe = await steps.step('build what sends packets', buildProbe)
  const whole = await inBed(steps.step('start a tailnet and an API server', startEgressBed), async (bed) => ({
    recording: await steps.step('record upstream’s rules', () => recordUpstream(bed, all.upstream)),
    agents: await steps.step('agents with 1,000 services', (note) => measureAgents(bed, all, size.agents, note)),
    endToEnd: await steps.step('egress end to end', (note) => measureEndToEnd(bed, all, probe, size.endToEnd, note)),
  }))
  const { recording } = whole
  const rules = await inBed(
    steps.step('start plain links', () => startLinkBed({ ours: ownAddress, upstream: recording.own })),
    async (bed) => {
      const setup = rulesSetup(bed, recording, probe)
      return [
        ...(await steps.step('packets through rules', (note) => measurePackets(setup, size.packets, note))),
        ...(await steps.step('streams through rules', (note) => measureStreams(setup, size.streams, note))),
        await steps.step('one service more', (note) => measureAdding(setup, size.adding, note)),
        ...(await steps.step('loading rules', (note) => measureLoading(setup, size.loading, note))),
      ]
    },
  )
  return [...rules, whole.agents, whole.endToEnd]
}

/** The number of progress steps of `measureEarlier`. */
export const earlierSteps = 2

/** The present agent and an earlier one, in a bed of their own. */
export const measureEarlier = async (
  now: Contestant,
  before: Contestant,
  size: Size['egress']['before'],
  steps: Progress,
): Promise<Section> =>
  inBed(steps.step('start a tailnet and an API server', startEgressBed), (bed) =>
    steps.step('beside the earlier agent', (note) => measureBefore(bed, now, before, size, note)),
  )
