import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { printLogsOnFailure } from '../../lab/vitest.ts'
import { SkippingClock } from '../../lib/skipping-clock.ts'
import { GroupBed } from './group-bed.ts'
import { gone, groupsOnly, Walker, walkGroups, walkThroughAll } from './walks.ts'

let here: GroupBed
beforeAll(async () => {
  here = await GroupBed.start()
  await here.cluster.apply(...walkGroups)
})
afterAll(() => here[Symbol.asyncDispose]())
beforeEach(() => printLogsOnFailure(here.at.bed))

test(
  'after each step of 50 walks through every kind a Service is what it asks to be, and nothing is left',
  { timeout: 3_600_000 },
  async () => {
    await using operator = await here.at.operate()
    const begun = performance.now()
    await walkThroughAll(here, ['ann', 'bob', 'cid', 'dan', 'eve'], 10)
    console.log(`50 walks in ${Math.round((performance.now() - begun) / 1000)} s`)
    expect(operator.logged).toEqual([])
  },
)

test('a Service goes on from wherever Tailscale’s API was away for an hour in the middle of a step', async () => {
  const clock = new SkippingClock()
  await using operator = await here.at.operate(clock)
  const pass = async (minutes: number): Promise<void> => {
    for (let minute = 0; minute < minutes; minute += 1) {
      clock.skip(60_000)
      await expect.poll(() => operator.controllers.every((one) => one.counts().running === 0)).toBe(true)
    }
  }
  const before = await groupsOnly(here)
  const walker = new Walker(here, 'fay')
  await walker.create()
  const lacked: boolean[] = []
  let since = 0
  const isRefused = async () => (await here.control.apiCalls(since)).some((call) => call.endsWith(' 503'))
  await walker.walk({
    before: async () => {
      since = (await here.control.events()).last
      await here.control.addApiFault({ status: 503, times: 0 })
    },
    meanwhile: async (isDone) => {
      // Until it lacks the API, or has done without.
      await expect.poll(async () => (await isRefused()) || (await isDone())).toBe(true)
      lacked.push(await isRefused())
      await pass(60)
      await here.control.removeApiFaults()
      // As long as the longest pause between two attempts.
      await pass(6)
    },
  })
  console.log(`steps that lacked the API: ${lacked.join()}`)
  await gone(here, before, 'fay')
  expect(operator.logged.filter((line) => line.includes('bug'))).toEqual([])
})

test('a Service goes on from wherever the operator was replaced in the middle of a step', async () => {
  let operator = await here.at.operate()
  const before = await groupsOnly(here)
  const walker = new Walker(here, 'gus')
  await walker.create()
  await walker.walk({
    meanwhile: async () => {
      await operator[Symbol.asyncDispose]()
      operator = await here.at.operate()
    },
  })
  await gone(here, before, 'gus')
  await operator[Symbol.asyncDispose]()
})
