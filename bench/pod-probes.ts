import { setTimeout as delay } from 'node:timers/promises'
import type { Progress } from '../test/lab/progress.ts'
import { startBenchBed } from './bench-bed.ts'
import type { Images } from './image.ts'
import { inBed } from './in-bed.ts'
import type { Side } from './pair.ts'
import { byHttp, preparePods, type PodSetup, PodProxy, readiness } from './pod.ts'
import type { Row, Section } from './section.ts'

export type ProbesSize = { readonly repeats: number; readonly idle: number; readonly seconds: number }

/** The number of progress steps of `measurePodProbes`. */
export const podProbesSteps = 2

const byExec = (...command: string[]) => ({ exec: { command } })

type Probes = { readonly side: Side; readonly ready?: object; readonly live?: object }

/** The side of each Pod, and its readiness and liveness probes. */
const kinds = {
  exec: { side: 'ours', ready: byExec('culvert', 'ready'), live: byExec('culvert', 'live') },
  http: { side: 'ours', ready: byHttp('/readyz'), live: byHttp('/livez') },
  none: { side: 'ours' },
  upstream: { side: 'upstream', ready: byHttp('/healthz'), live: byHttp('/healthz') },
  upstreamNone: { side: 'upstream' },
} as const satisfies Record<string, Probes>
type Kind = keyof typeof kinds
const names = Object.keys(kinds) as Kind[]

/** How often the examples with exec probes run them, per second: readiness each 10 s, liveness each 30 s. */
const exampleRate = 1 / 10 + 1 / 30

/** The cost of probes for an idle Pod, in a bed of its own. */
export async function measurePodProbes(images: Images, size: ProbesSize, steps: Progress): Promise<Section> {
  return await inBed(
    steps.step('start a tailnet and a cluster', () => startBenchBed({ cluster: { nodes: 1 } })),
    (bed) =>
      steps.step('probes of Pods at rest', async (note) => {
        const setup = await preparePods(bed, images)
        const used: Record<Kind, number>[] = []
        for (let repeat = 0; repeat < size.repeats; repeat += 1) {
          note(`${repeat + 1} of ${size.repeats}, ${size.idle + size.seconds} s of idling`)
          used.push(await measureOnce(setup, size))
        }
        return section(used, size)
      }),
  )
}

/** The millicores that the control group of each kind of Pod uses, all at the same time. */
async function measureOnce(setup: PodSetup, { idle, seconds }: ProbesSize): Promise<Record<Kind, number>> {
  await using pods = new AsyncDisposableStack()
  const proxies: PodProxy[] = []
  for (const kind of names) proxies.push(pods.use(await PodProxy.start(setup, kinds[kind].side, probes(kinds[kind]))))
  const cpu = (): Promise<number[]> => Promise.all(proxies.map((proxy) => proxy.cpu()))
  await delay(idle * 1000)
  const begun = performance.now()
  const before = await cpu()
  await delay(seconds * 1000)
  const after = await cpu()
  const took = (performance.now() - begun) / 1000
  const used = names.map((kind, at) => [kind, ((after[at] ?? Number.NaN) - (before[at] ?? Number.NaN)) / took])
  return Object.fromEntries(used) as Record<Kind, number>
}

/** Each runs once a second, so that it is visible beside the Pod's other work. A late answer ends nothing. */
function probes({ side, ready, live }: Probes): object {
  const often = { periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 60 }
  return {
    // Runs until the Pod is ready, and never again.
    startupProbe: { ...byHttp(readiness[side]), ...often },
    ...(ready && { readinessProbe: { ...ready, ...often } }),
    ...(live && { livenessProbe: { ...live, ...often } }),
  }
}

function section(used: readonly Readonly<Record<Kind, number>>[], { seconds }: ProbesSize): Section {
  /** Milliseconds of CPU time for each of the two probes in a second. */
  const each = (kind: Kind, without: Kind): number[] => used.map((one) => (one[kind] - one[without]) / 2)
  const [exec, http, other] = [each('exec', 'none'), each('http', 'none'), each('upstream', 'upstreamNone')]
  const rated = (values: readonly number[]): number[] => values.map((value) => value * exampleRate)
  const row = (what: string, unit: string, ours: readonly number[], upstream: readonly number[]): Row => ({
    what,
    unit,
    better: 'less',
    ours,
    other: upstream,
  })
  return {
    title: 'Probes of an idle Pod',
    against: 'upstream',
    rows: [
      row('one by exec; upstream’s by httpGet', 'ms', exec, other),
      row('one by httpGet', 'ms', http, other),
      row('as often as in the examples, by exec', 'millicores', rated(exec), rated(other)),
      row('… by httpGet', 'millicores', rated(http), rated(other)),
      row(
        'the Pod itself, without probes',
        'millicores',
        used.map(({ none }) => none),
        used.map(({ upstreamNone }) => upstreamNone),
      ),
    ],
    note:
      `CPU time of the Pod’s control group in ${seconds} s, with a readiness and a liveness probe each second, minus that ` +
      'of a Pod without them at the same time; upstream’s has only `/healthz`. The examples probe readiness each 10 s and ' +
      'liveness each 30 s, with a goal of 2 millicores at most. Half of a probe by exec is what the container engine needs ' +
      'within the Pod to start any program, even `true`; its work and that of kubelet outside the Pod is not included.',
  }
}
