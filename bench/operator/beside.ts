import { setTimeout as delay } from 'node:timers/promises'
import { ApiBed } from '../../test/kube/controller/api-bed.ts'
import { type Bed, startBed } from '../../test/lab/bed.ts'
import { buildImage, buildUpstreamImage, type Image } from '../../test/lab/images/image.ts'
import type { Progress } from '../../test/lab/progress.ts'
import { installOperator, namespace, OperatorProcess } from '../../test/operator/operator-process.ts'
import { joinOf, playAgents } from '../../test/operator/played-agents.ts'
import { unpulled, UpstreamOperator } from '../../test/operator/upstream-operator.ts'
import { processorTime } from '../egress/processor-time.ts'
import { tailnetAddress } from '../egress/replica.ts'
import { inBed } from '../in-bed.ts'
import type { Side } from '../pair.ts'
import { type Memory, memoryOf } from '../process-memory.ts'
import type { Row, Section } from '../section.ts'
import { apps, untilReady } from './exposed.ts'
import { measureWorkers } from './workers.ts'

/** Services at once: with agents that are played, and with Pods. */
export type BesideSize = { readonly played: number; readonly pods: number; readonly idle: number }

/** The number of progress steps of `measureBeside`. */
export const besideSteps = 10

type Measured = {
  /** Until conditions say so. */
  readonly seconds: number
  /** Seconds until all Pods are connected to the control server. */
  readonly online: number | undefined
  readonly processor: number
  readonly requests: number
  readonly calls: number
  readonly memory: Memory
}
type Running = AsyncDisposable & { readonly name: string; readonly pid: number }

const hosts = { operator: { network: 'cluster' }, target: { network: 'wan', tailscaled: true } } as const
type OperatorsBed = Bed<keyof typeof hosts>

/** Both operators, each in beds of its own, one after the other; then ours with other numbers of workers. */
export async function measureBeside(program: string, size: BesideSize, steps: Progress): Promise<Section[]> {
  const sections: Section[] = []
  for (const [count, nodes, what] of [
    [size.played, 0, 'agents that are played'],
    [size.pods, 1, 'Pods'],
  ] as const) {
    const of = (side: Side): Promise<Measured> =>
      inBed(start(steps, nodes), (bed) =>
        steps.step(`${count} Services with ${what}, ${side}`, (note) => measure(bed, side, program, count, size, note)),
      )
    sections.push(sectionOf(count, what, { ours: await of('ours'), upstream: await of('upstream') }))
  }
  const workers = await inBed(start(steps, 0), (bed) =>
    steps.step('numbers of workers', (note) => measureWorkers(bed, program, size.played, note)),
  )
  return [...sections, workers]
}

const start = (steps: Progress, nodes: number): Promise<OperatorsBed> =>
  steps.step('start a tailnet and a cluster', () => startBed({ hosts, cluster: { nodes } }))

async function measure(
  bed: OperatorsBed,
  side: Side,
  program: string,
  count: number,
  { idle }: BesideSize,
  note: (text: string) => void,
): Promise<Measured> {
  const { cluster, control } = bed
  await using kube = await ApiBed.start(bed)
  await using agents = new AsyncDisposableStack()
  const image = bed.cluster.nodes.length === 0 ? undefined : await imported(bed, side)
  if (image === undefined) agents.use(playAgents(kube.direct, { namespace, join: joinOf(bed) }))
  await cluster.apply(apps)
  note('start the operator')
  await using operator = await started[side](bed, program, image)
  await delay(idle * 1000)
  const asked = async () => (await cluster.audited(namespace, 'operator')).length
  const before = {
    requests: await asked(),
    event: (await control.events()).last,
    processor: processorTime(operator.pid),
  }
  note('until all are ready')
  const [seconds, online] = await Promise.all([
    untilReady(bed, kube, count, await tailnetAddress(bed, 'target')),
    // Played agents are not connected to anything.
    image === undefined ? undefined : untilOnline(bed, count),
  ])
  // What follows, such as keys that are removed from Secrets, is part of it.
  await delay(idle * 1000)
  return {
    seconds,
    online,
    processor: (processorTime(operator.pid) - before.processor) / 1000,
    requests: ((await asked()) - before.requests) / count,
    calls: (await control.apiCalls(before.event)).length / count,
    memory: await memoryOf(operator),
  }
}

/** Seconds until as many nodes are connected as there are Pods. */
async function untilOnline({ control }: Bed, count: number): Promise<number> {
  const begun = performance.now()
  const pods = async () => (await control.nodes()).filter(({ name, online }) => online && name !== 'target').length
  while ((await pods()) < count) await delay(250)
  return (performance.now() - begun) / 1000
}

/** The image of the agent that an operator has in its Pods, in the cluster. */
async function imported({ cluster }: Bed, side: Side): Promise<Image> {
  const image = side === 'ours' ? await buildImage() : await buildUpstreamImage()
  await cluster.importImage(image.archive)
  return image
}

const started: Record<Side, (bed: OperatorsBed, program: string, image: Image | undefined) => Promise<Running>> = {
  ours: async (bed, program, image) => {
    await installOperator(bed)
    return OperatorProcess.start(bed, image === undefined ? {} : { PROXY_IMAGE: image.reference }, program)
  },
  upstream: async (bed, _program, image) => {
    const proxies = image === undefined ? {} : { PROXY_IMAGE: image.reference, PROXY_DEFAULT_CLASS: 'lab' }
    const operator = await UpstreamOperator.install(bed, bed.host('operator'), '1.104', proxies)
    await operator.start()
    if (image !== undefined) {
      await bed.cluster.apply(unpulled('lab'))
      await bed.cluster.wait('proxyclass/lab', 'ProxyClassReady')
    }
    return { name: 'upstream-operator', pid: operator.pid, [Symbol.asyncDispose]: () => operator.stop() }
  },
}

function sectionOf(count: number, what: string, both: Readonly<Record<Side, Measured>>): Section {
  const row = (of: string, unit: string, pick: (one: Measured) => number): Row => ({
    what: of,
    unit,
    better: 'less',
    ours: [pick(both.ours)],
    other: [pick(both.upstream)],
  })
  return {
    title: `The operator beside Tailscale’s, with ${what}`,
    against: 'upstream',
    rows: [
      row(`${count} Services at once, until all are said to be ready`, 's', ({ seconds }) => seconds),
      ...(both.ours.online === undefined
        ? []
        : [row('… until all Pods are connected', 's', ({ online }) => online ?? 0)]),
      row('processor time of the operator for that', 's', ({ processor }) => processor),
      row('requests to the API server for each', '', ({ requests }) => requests),
      row('requests to Tailscale’s API for each', '', ({ calls }) => calls),
      row('resident memory then', 'MiB', ({ memory }) => memory.resident),
      row('anonymous memory then', 'MiB', ({ memory }) => memory.anonymous),
    ],
    note:
      'Tailscale’s operator is of release 1.104. Both run as processes, each in a bed of its own. Half of the Services ' +
      'are L3 ingress, half L3 egress. Requests to the API server are those of the audit log, without what agents ask. ' +
      'Tailscale’s says of a Service that it is ready before its Pod has joined; ours when the Pod forwards.',
  }
}
