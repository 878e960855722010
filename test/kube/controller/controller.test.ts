import { beforeEach, describe, expect, it } from 'vitest'
import {
  controller,
  type ControllerOptions,
  type Flight,
  trigger,
  UserError,
} from '../../../kube/controller/controller.ts'
import { controllerMetrics, deafness } from '../../../kube/controller/health.ts'
import { store } from '../../../kube/controller/store.ts'
import { KubeError } from '../../../kube/error.ts'
import { renderMetrics } from '../../../lib/metrics.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'
import { configMap } from './an-object.ts'

let clock: VirtualClock
let runs: string[]
let problems: string[]
let refused: string[]
beforeEach(() => {
  clock = new VirtualClock()
  runs = []
  problems = []
  refused = []
})

type Work = (key: string, flight: Flight) => Promise<{ again?: number } | void> | void

/** A controller of the objects in a store, whose run does `work`. */
function made(work: Work, options: Partial<ControllerOptions> = {}) {
  const kept = store({ failed: () => {}, clock })
  const runner = controller({
    name: 'test',
    triggers: [trigger(kept, ({ key }) => [key])],
    sources: [{ synced: Promise.resolve() }],
    reconcile: async (key, flight) => {
      runs.push(`${key} @${clock.now()}`)
      return work(key, flight)
    },
    refuse: async (key, error) => void refused.push(`${key} ${error.reason}`),
    problem: (key, text) => problems.push(`${key}: ${text ?? 'well'}`),
    clock,
    random: () => 0.5,
    ...options,
  })
  return { kept, made: runner }
}

const refusal = (status: number, reason: string): KubeError =>
  new KubeError(reason, { status, reason, retryable: status >= 500 })

describe('a run', () => {
  it('begins when all caches are filled, live events first', async () => {
    const [one, other] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const { kept } = made(() => {}, { sources: [{ synced: one.promise }, { synced: other.promise }], concurrency: 1 })
    kept.replace([configMap('a', '1'), configMap('b', '2')])
    kept.set(configMap('c', '3'))
    one.resolve()
    await clock.advance(1000)
    expect(runs).toEqual([])
    other.resolve()
    await clock.advance(1)
    expect(runs).toEqual(['ns/c @1000', 'ns/a @1000', 'ns/b @1000'])
  })

  it('is not followed by another of the same key before the caches show what it wrote', async () => {
    const shown = Promise.withResolvers<void>()
    const { made: one } = made((_key, flight) => flight.wrote(shown.promise))
    one.add('a')
    await clock.advance(10)
    one.add('a')
    await clock.advance(10)
    expect(runs).toEqual(['a @0'])
    shown.resolve()
    await clock.advance(10)
    expect(runs).toEqual(['a @0', 'a @20'])
  })

  it('runs again when it says so', async () => {
    const { made: one } = made(async () => ({ again: 60_000 }))
    one.add('a')
    await clock.advance(120_000)
    expect(runs).toEqual(['a @0', 'a @60000', 'a @120000'])
  })

  it('is aborted after its time, which is reported as its failure', async () => {
    const { made: one } = made(
      async (_key, { signal }) => {
        await clock.sleep(1_000_000, signal)
        throw new Error('whatever an aborted call says')
      },
      { timeoutMs: 5000 },
    )
    one.add('a')
    await clock.advance(5500)
    expect(problems).toEqual(['a: The operation was aborted due to timeout'])
    expect(one.counts()).toMatchObject({ results: { failed: 1 } })
    expect(one.measures().durations).toContainEqual({
      suffix: '_sum',
      labels: { controller: 'test', result: 'failed' },
      value: 5,
    })
  })
})

describe('a failed run', () => {
  it('is retried with growing pauses, and reported once', async () => {
    let left = 3
    const { made: one } = made(() => {
      if ((left -= 1) >= 0) throw new Error('no')
    })
    one.add('a')
    await clock.advance(60_000)
    expect(runs).toEqual(['a @0', 'a @1000', 'a @3000', 'a @7000'])
    expect(problems).toEqual(['a: no', 'a: well'])
  })

  it.each([
    ['a conflict', refusal(409, 'Conflict')],
    ['an object that is gone', refusal(404, 'NotFound')],
  ])('by %s is retried silently, unless it goes on', async (_what, error) => {
    let left = 4
    const { made: one } = made(() => {
      if ((left -= 1) >= 0) throw error
    })
    one.add('a')
    await clock.advance(60_000)
    expect([runs.length, problems]).toEqual([5, []])
    left = 5
    one.add('a')
    await clock.advance(60_000)
    expect(problems).toEqual([`a: ${error.message}`, 'a: well'])
    expect(one.counts().results).toEqual({ done: 2, stale: 8, refused: 0, failed: 1 })
  })

  it('by conflicts that go on is silent as long as each run gets further', async () => {
    let left = 20
    const { made: one } = made((_key, flight) => {
      flight.wrote(Promise.resolve())
      if ((left -= 1) >= 0) throw refusal(409, 'Conflict')
    })
    one.add('a')
    await clock.advance(10_000_000)
    expect([runs.length, problems]).toEqual([21, []])
  })

  it('by the user is told to the user, and not retried before something changes', async () => {
    const { made: one, kept } = made(() => {
      throw new UserError('Wrong', 'it is wrong', 'Make it right.')
    })
    kept.set(configMap('a', '1'))
    await clock.advance(10_000_000)
    expect([runs, refused, problems]).toEqual([['ns/a @0'], ['ns/a Wrong'], []])
    kept.set(configMap('a', '2'))
    await clock.settle()
    expect(refused).toEqual(['ns/a Wrong', 'ns/a Wrong'])
    expect(one.counts()).toMatchObject({ failing: 0, results: { refused: 2 } })
  })

  it('by the user is retried if that cannot be told', async () => {
    let left = 1
    const { made: one } = made(
      () => {
        throw new UserError('Wrong', 'it is wrong')
      },
      {
        refuse: async () => {
          if ((left -= 1) >= 0) throw refusal(500, 'InternalError')
        },
      },
    )
    one.add('a')
    await clock.advance(60_000)
    expect(problems).toEqual(['a: InternalError', 'a: well'])
    expect(one.counts().results).toMatchObject({ failed: 1, refused: 1 })
  })
})

it('health names the sources that are deaf, and metrics have all counts', async () => {
  const source = (name: string, silence: number) => ({
    name,
    synced: Promise.resolve(),
    isSynced: () => true,
    refresh: async () => {},
    silence: () => silence,
    isDeaf: () => silence > 720_000,
    counts: () => ({ lists: 1, watches: 2, missed: 3 }),
  })
  const sources = [source('services', 1000), source('secrets', 900_000)]
  expect(deafness(sources)).toBe('nothing heard of secrets for 900 s')
  expect(deafness(sources.slice(0, 1))).toBeUndefined()
  const { made: one } = made(
    async (key) => {
      await clock.sleep(key === 'a' ? 300 : 100)
      if (key === 'b') throw refusal(403, 'Forbidden')
      if (key === 'c') throw new UserError('Wrong', 'it is wrong')
      if (key === 'd') await clock.sleep(10_000)
    },
    { concurrency: 3 },
  )
  for (const key of ['a', 'b', 'c', 'd']) one.add(key)
  await clock.advance(500)
  const text = renderMetrics(controllerMetrics(sources, [one]))
  for (const line of [
    'culvert_source_silence_seconds{source="secrets"} 900',
    'culvert_source_lists_total{source="services"} 1',
    'culvert_source_watches_total{source="services"} 2',
    'culvert_source_missed_total{source="services"} 3',
    'workqueue_depth{name="test"} 1',
    'workqueue_adds_total{name="test"} 4',
    'workqueue_retries_total{name="test"} 1',
    'workqueue_unfinished_work_seconds{name="test"} 0.4',
    'workqueue_longest_running_processor_seconds{name="test"} 0.4',
    'workqueue_queue_duration_seconds_bucket{name="test",le="0.05"} 3',
    'workqueue_queue_duration_seconds_sum{name="test"} 0.1',
    'workqueue_queue_duration_seconds_count{name="test"} 4',
    'workqueue_work_duration_seconds_bucket{name="test",le="0.25"} 2',
    'workqueue_work_duration_seconds_bucket{name="test",le="+Inf"} 3',
    'culvert_reconcile_duration_seconds_bucket{controller="test",result="done",le="0.25"} 0',
    'culvert_reconcile_duration_seconds_count{controller="test",result="done"} 1',
    'culvert_reconcile_duration_seconds_count{controller="test",result="refused"} 1',
    'culvert_reconcile_errors_total{controller="test",reason="Forbidden"} 1',
    'culvert_reconcile_errors_total{controller="test",reason="Wrong"} 1',
    'culvert_reconcile_running{controller="test"} 1',
    'culvert_reconcile_failing{controller="test"} 1',
  ]) {
    expect(text.split('\n')).toContain(line)
  }
})
