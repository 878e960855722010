import { copyFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { progress, type Progress } from '../test/lab/progress.ts'
import type { Group } from '../test/lab/parts/table.ts'
import { prepare } from '../test/lab/ready.ts'
import { buildAgent } from '../tools/build.ts'
import { startBenchBed, type BenchBed } from './bench-bed.ts'
import { agentOf, type Contestant, contestants } from './contestant.ts'
import { apiServerSteps, measureApiServer } from './apiserver/apiserver.ts'
import { countingSteps, measureCounting } from './egress/counting.ts'
import { earlierSteps, egressSteps, measureEarlier, measureEgress } from './egress/egress.ts'
import { firstByteSteps, measureFirstByte } from './first-byte.ts'
import { clusterFacts, gatherFacts } from './facts.ts'
import { buildImages, type Images, measureImages } from './image.ts'
import { inBed } from './in-bed.ts'
import { iptablesSteps, measureIptables } from './iptables/iptables.ts'
import { type HostMemory, measureMemory, memorySections } from './memory.ts'
import { measureOperator, operatorSteps } from './operator/operator.ts'
import { preparePods } from './pod.ts'
import { measurePodProbes, podProbesSteps } from './pod-probes.ts'
import { measurePodRest } from './pod-rest.ts'
import { measurePodStart } from './pod-start.ts'
import { measureRepair } from './repair.ts'
import { measureRecorder, recorderSteps } from './recorder/recorder.ts'
import type { Section } from './section.ts'
import { measurePodStarting, podStartingSteps } from './serve/pod-starting.ts'
import { measureServe, serveSteps } from './serve/serve.ts'
import type { Size } from './size.ts'
import { measureStartup } from './startup.ts'
import { measureTraffic, trafficSteps } from './traffic.ts'
import { measureUnprivileged, unprivilegedSteps } from './unprivileged.ts'

export type BenchOptions = { readonly size: Size; readonly commit: string | undefined }

export type Results = { readonly sections: readonly Section[]; readonly facts: [string, string][] }

/**
 * Measures everything: processes in hosts of one bed, then ProxyGroups and HTTPS sites, and then Pods, each in beds of
 * their own.
 */
export async function runBench({ size, commit }: BenchOptions): Promise<Results> {
  const preparation = await prepare('cluster', 'image', 'compared', 'releases')
  const steps = progress(
    preparation.steps +
      11 +
      trafficSteps +
      unprivilegedSteps +
      egressSteps +
      countingSteps +
      iptablesSteps +
      serveSteps +
      podStartingSteps +
      podProbesSteps +
      operatorSteps +
      apiServerSteps +
      recorderSteps +
      firstByteSteps,
  )
  await preparation.run(steps)
  const bundle = await steps.step('bundle the agent', buildAgent)
  const images = await steps.step('build the images', buildImages)
  const image = await steps.step('size of the images', (note) => measureImages(images, note))
  const { memory, ...onHosts } = await inBed(
    steps.step('start the tailnet', () => startBenchBed()),
    (bed) => measureOnHosts(bed, bundle, size, commit, steps),
  )
  const unprivileged = await measureUnprivileged(agentOf(bundle), size, steps)
  const egress = await measureEgress(contestants(bundle), size.egress, steps)
  const counting = await measureCounting(agentOf(bundle), size.counting, steps)
  const iptables = await measureIptables(contestants(bundle), size.iptables, steps)
  const serve = await measureServe(contestants(bundle), size.serve, steps)
  const inPods = await inBed(
    steps.step('start a tailnet and a cluster', () => startBenchBed({ cluster: { nodes: 1 } })),
    (bed) => measureInPods(bed, images, memory, size, steps),
  )
  const probes = await measurePodProbes(images, size.podProbes, steps)
  const podServe = await measurePodStarting(images, size.serve.podStarts, steps)
  const operator = await measureOperator(size.operator, steps)
  const apiServer = await measureApiServer(size.apiServer, steps)
  const recorder = await measureRecorder(size.recorder, steps)
  const firstByte = await measureFirstByte(size.firstByte, steps)
  return {
    sections: [
      ...onHosts.sections,
      ...unprivileged,
      ...egress,
      counting,
      ...iptables,
      ...serve,
      ...inPods.sections,
      probes,
      podServe,
      ...operator,
      ...apiServer,
      ...recorder,
      firstByte,
      image,
    ],
    facts: [...onHosts.facts, ...inPods.facts],
  }
}

type PartOptions = {
  readonly size: Size
  /** The path of an earlier bundle to compare with. */
  readonly before: string
}
type Part = {
  readonly needs: readonly Group[]
  readonly count: number
  readonly measure: (bundle: string, steps: Progress, options: PartOptions) => Promise<Section[]>
}

/** What can be measured alone. */
const parts = {
  unprivileged: {
    needs: [],
    count: unprivilegedSteps,
    measure: (bundle, steps, { size }) => measureUnprivileged(agentOf(bundle), size, steps),
  },
  counting: {
    needs: [],
    count: countingSteps,
    measure: async (bundle, steps, { size }) => [await measureCounting(agentOf(bundle), size.counting, steps)],
  },
  iptables: {
    needs: ['cluster'],
    count: iptablesSteps,
    measure: (bundle, steps, { size }) => measureIptables(contestants(bundle), size.iptables, steps),
  },
  operator: {
    needs: ['cluster', 'image', 'releases'],
    count: operatorSteps,
    measure: (_bundle, steps, { size }) => measureOperator(size.operator, steps),
  },
  apiserver: {
    needs: ['cluster', 'compared'],
    count: apiServerSteps,
    measure: (_bundle, steps, { size }) => measureApiServer(size.apiServer, steps),
  },
  recorder: {
    needs: [],
    count: recorderSteps,
    measure: (_bundle, steps, { size }) => measureRecorder(size.recorder, steps),
  },
  'first-byte': {
    needs: ['cluster', 'image'],
    count: firstByteSteps,
    measure: async (_bundle, steps, { size }) => [await measureFirstByte(size.firstByte, steps)],
  },
  before: {
    needs: ['cluster'],
    count: earlierSteps,
    measure: async (bundle, steps, { size, before }) => [
      await measureEarlier(agentOf(bundle), await besideBundle(before, bundle), size.egress.before, steps),
    ],
  },
} as const satisfies Record<string, Part>

export async function benchPart(name: keyof typeof parts, options: PartOptions): Promise<Section[]> {
  const { needs, count, measure }: Part = parts[name]
  const preparation = await prepare(...needs)
  const steps = progress(preparation.steps + 1 + count)
  await preparation.run(steps)
  return await measure(await steps.step('bundle the agent', buildAgent), steps, options)
}

/** Copies the agent of another bundle to where hosts can read it. */
async function besideBundle(before: string, bundle: string): Promise<Contestant> {
  const copy = join(dirname(bundle), 'earlier.js')
  await copyFile(before, copy)
  return agentOf(copy)
}

async function measureOnHosts(
  bed: BenchBed,
  bundle: string,
  size: Size,
  commit: string | undefined,
  steps: Progress,
): Promise<Results & { readonly memory: HostMemory }> {
  const all = contestants(bundle)
  const startup = await steps.step('start and stop', (note) => measureStartup(bed, all, size.startups, note))
  const repair = await steps.step('repair', (note) => measureRepair(bed, all, size.startups, note))
  const memory = await steps.step('memory', (note) => measureMemory(bed, all, size.memory, note))
  const traffic = await measureTraffic(bed, all, size, steps)
  const sections = [startup, repair, ...memorySections(memory, size.memory.idle), ...traffic]
  return { sections, memory, facts: await gatherFacts(bed, commit) }
}

async function measureInPods(
  bed: BenchBed,
  images: Images,
  memory: HostMemory,
  size: Size,
  steps: Progress,
): Promise<Results> {
  const setup = await steps.step('import the images', () => preparePods(bed, images))
  const start = await steps.step('Pod start', (note) => measurePodStart(setup, size.podStarts, note))
  const rest = { ...size.memory, rest: size.podRest }
  const atRest = await steps.step('Pods at rest', (note) => measurePodRest(setup, memory, rest, note))
  return { sections: [start, ...atRest], facts: await clusterFacts(bed) }
}
