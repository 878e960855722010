import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest'
import { processorTime } from '../../../bench/egress/processor-time.ts'
import { type Memory, memoryOf } from '../../../bench/process-memory.ts'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { limited } from '../../../lib/limit.ts'
import { services } from '../../../operator/objects/resources.ts'
import { never } from '../../kube/controller/api-bed.ts'
import { printLogsOnFailure } from '../../lab/vitest.ts'
import { idle } from '../operator-bed.ts'
import { namespace, OperatorProcess } from '../operator-process.ts'
import { requestsPer } from '../requests.ts'
import { EgressBed, service, type Service } from './egress-bed.ts'

const many = 1000
/** What the operator asks of the API for one Service. */
const most: Readonly<Record<string, number>> = {
  // Whether they are there already: the ClusterIP Service, and an EndpointSlice for each family.
  'GET services': 1,
  'GET endpointslices': 2,
  // The finalizer, the ClusterIP Service, and what the user's Service becomes.
  'PATCH services': 3,
  'PATCH endpointslices': 2,
  'PATCH services status': 2,
  // Of the group, for many Services at once; how many depends on how long it takes.
  'PATCH configmaps': 1,
  'PATCH pods': 1,
}

let at: EgressBed
beforeAll(async () => {
  at = await EgressBed.start()
})
afterAll(() => at[Symbol.asyncDispose]())
beforeEach(() => printLogsOnFailure(at.here.bed))

const some = limited(20)
/** The API server has some ten thousand requests to answer. */
const patient = { interval: 5000, timeout: 1_800_000 }
const listed = (kind: string, where = namespace) => at.here.bed.cluster.list<KubeObject>(kind, where)
const ready = async (): Promise<number> =>
  (await at.here.bed.cluster.list<Service>('services', 'apps')).filter(({ status }) =>
    status.conditions?.some(({ reason }) => reason === 'ReadyToRouteTraffic'),
  ).length
/** Of objects as the API gives them. */
const bytesOf = (objects: readonly object[]): number => Math.round(JSON.stringify(objects).length / 1024)

/** The memory of a process once it has nothing to do; its other settings have the Pods replaced first. */
async function atRest(program: OperatorProcess): Promise<Memory> {
  let before = -Infinity
  const resting = (): boolean => {
    const now = processorTime(program.pid)
    const isResting = now - before < 100
    before = now
    return isResting
  }
  await expect.poll(resting, { ...patient, interval: 3000 }).toBe(true)
  // It gives memory back after two looks, ten seconds apart, at which it has nothing to do.
  await delay(25_000)
  return memoryOf(program)
}

test(
  `${many} Services at once in one group are all ready, at rest nothing is written, and nothing is left of them`,
  { timeout: 3_600_000 },
  async () => {
    const names = Array.from({ length: many }, (_, number) => `service-${number}`)
    const figures: Record<string, unknown> = {}
    onTestFinished(() => console.log(JSON.stringify(figures, null, 2)))
    const seen = at.here.kube.proxy.seen
    {
      await using operator = await at.operate()
      await idle(operator)
      seen.length = 0
      const begun = performance.now()
      await Promise.all(names.map((name) => some(() => at.here.kube.direct.create(services, service(name), never))))
      await expect.poll(ready, patient).toBe(many)
      figures['seconds until all were ready'] = Math.round((performance.now() - begun) / 1000)
      await idle(operator)
      const counted = requestsPer(many, seen)
      figures['requests for each'] = counted
      // A few may be repeated after a conflict.
      const more = Object.entries(counted).filter(([what, count]) => count > (most[what] ?? 0) + 0.1)
      expect(more).toEqual([])
      expect(await at.files('one')).toHaveLength(many)
      const made = await at.childrenOf('service-0', 'services,endpointslices')
      figures['KiB'] = {
        'of each Service, with what was made for it': bytesOf([await at.get('service-0'), ...made].map((one) => one!)),
        'of the group’s ConfigMap': bytesOf(
          (await listed('configmaps')).filter(({ metadata }) => metadata.name === 'one-egress-config'),
        ),
        'of a replica’s state': bytesOf((await listed('secrets')).filter(({ metadata }) => metadata.name === 'one-0')),
      }
      // Everything runs once more.
      seen.length = 0
      for (const one of operator.controllers) for (const name of names) one.add(`apps/${name}`)
      for (const one of operator.controllers) one.add('one')
      await idle(operator)
      expect(at.here.kube.proxy.writes).toEqual([])
      expect(operator.logged).toEqual([])
      expect(at.here.problems).toEqual([])
    }
    seen.length = 0
    {
      await using operator = await at.operate()
      await idle(operator)
      expect(at.here.kube.proxy.writes).toEqual([])
    }
    await using operator = await OperatorProcess.start(at.here.bed)
    const ended = operator.end().then((code) => {
      throw new Error(`the operator ended with ${code}:\n${operator.logged.join('\n')}`)
    })
    const removed = async (): Promise<void> => {
      figures['MiB of an operator that has started'] = await atRest(operator)
      await at.here.bed.cluster.kubectl(['delete', 'services', '--all', '--namespace=apps', '--wait=false'])
      await expect.poll(() => listed('services', 'apps'), patient).toEqual([])
      await expect.poll(() => at.files('one'), patient).toEqual([])
    }
    await Promise.race([removed(), ended])
    await at.nothingLeft('service-0')
    // A thousand deletions at once may take the API server longer than one call has; it is made again.
    expect(operator.errors.filter((line) => !line.includes('aborted due to timeout'))).toEqual([])
  },
)
