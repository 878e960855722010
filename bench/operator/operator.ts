import { setTimeout as delay } from 'node:timers/promises'
import { ApiBed } from '../../test/kube/controller/api-bed.ts'
import { type Bed, startBed } from '../../test/lab/bed.ts'
import type { Progress } from '../../test/lab/progress.ts'
import { installOperator, namespace, OperatorProcess } from '../../test/operator/operator-process.ts'
import { playAgents } from '../../test/operator/played-agents.ts'
import { buildOperator } from '../../tools/build.ts'
import { processorTime } from '../egress/processor-time.ts'
import { inBed } from '../in-bed.ts'
import { type Memory, memoryOf } from '../process-memory.ts'
import type { Row, Section } from '../section.ts'
import { type BesideSize, besideSteps, measureBeside } from './beside.ts'
import { apps, noServices, untilReady } from './exposed.ts'
import { measureTakeover } from './takeover.ts'

export type OperatorSize = {
  readonly repeats: number
  /** That ask for proxies at once. */
  readonly services: number
  /** Seconds after which memory is looked at. */
  readonly idle: number
  readonly beside: BesideSize
}

/** The number of progress steps of `measureOperator`. */
export const operatorSteps = 3 + besideSteps

type Measured = {
  readonly seconds: number
  readonly processor: number
  readonly again: number
  readonly empty: Memory
  readonly full: Memory
  readonly restarted: Memory
}

/** The operator's process before an API server without nodes; the agents are played. */
export async function measureOperator(size: OperatorSize, steps: Progress): Promise<Section[]> {
  const program = await steps.step('bundle the operator', buildOperator)
  const alone = await inBed(
    steps.step('start a tailnet and an API server', () => startBed({ hosts: {}, cluster: { nodes: 0 } })),
    (bed) => steps.step(`${size.services} Services`, (note) => measure(bed, program, size, note)),
  )
  return [...alone, ...(await measureBeside(program, size.beside, steps))]
}

async function measure(
  bed: Bed,
  program: string,
  size: OperatorSize,
  note: (text: string) => void,
): Promise<Section[]> {
  await installOperator(bed)
  await bed.cluster.apply(apps)
  await using kube = await ApiBed.start(bed)
  await using agents = playAgents(kube.direct, { namespace })
  const all: Measured[] = []
  for (let repeat = 0; repeat < size.repeats; repeat += 1) {
    note(`${repeat + 1} of ${size.repeats}, ${agents.running()} Pods`)
    if (repeat > 0) await noServices(bed)
    all.push(await once(bed, kube, program, size))
  }
  const row = (what: string, unit: string, pick: (one: Measured) => number): Row => ({
    what,
    unit,
    better: 'less',
    ours: all.map(pick),
    other: [],
  })
  const memory = (kind: keyof Memory): Row[] => [
    row(`${kind} memory without any`, 'MiB', ({ empty }) => empty[kind]),
    row(`${kind} memory with all`, 'MiB', ({ full }) => full[kind]),
    row(`${kind} memory with all after a restart`, 'MiB', ({ restarted }) => restarted[kind]),
  ]
  return [
    {
      title: 'The operator',
      against: 'another',
      rows: [
        row(`${size.services} Services at once, until all are ready`, 's', ({ seconds }) => seconds),
        row('processor time for that', 's', ({ processor }) => processor),
        row('processor time of a restart, which changes nothing', 's', ({ again }) => again),
        ...memory('resident'),
        ...memory('anonymous'),
      ],
      note:
        'As a process, before an API server whose objects have neither nodes nor containers: what agents write is ' +
        'written by the benchmark, as soon as there is a Pod. Half of the Services are L3 ingress, half L3 egress. ' +
        `Memory and restarts are looked at ${size.idle} s later.`,
    },
    await measureTakeover(bed, kube, program, size.repeats),
  ]
}

async function once(bed: Bed, kube: ApiBed, program: string, size: OperatorSize): Promise<Measured> {
  let first: Omit<Measured, 'again' | 'restarted'>
  {
    await using operator = await OperatorProcess.start(bed, {}, program)
    await delay(size.idle * 1000)
    const empty = await memoryOf(operator)
    const before = processorTime(operator.pid)
    const seconds = await untilReady(bed, kube, size.services)
    await delay(size.idle * 1000)
    const processor = (processorTime(operator.pid) - before) / 1000
    first = { seconds, processor, empty, full: await memoryOf(operator) }
  }
  await using operator = await OperatorProcess.start(bed, {}, program)
  await delay(size.idle * 1000)
  return { ...first, again: processorTime(operator.pid) / 1000, restarted: await memoryOf(operator) }
}
