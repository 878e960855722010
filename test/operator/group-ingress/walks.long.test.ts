import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { printLogsOnFailure } from '../../lab/vitest.ts'
import { GroupBed } from './group-bed.ts'
import { leftIn, Walker, walkGroups } from './walks.ts'

let here: GroupBed
beforeAll(async () => {
  here = await GroupBed.start()
  await here.cluster.apply(...walkGroups)
})
afterAll(() => here[Symbol.asyncDispose]())
beforeEach(() => printLogsOnFailure(here.at.bed))

/** What there is without any Service, once all groups are there; the operator runs. */
async function groupsOnly(): Promise<readonly string[]> {
  await expect.poll(async () => (await here.control.nodes()).length).toBe(4)
  return leftIn(here)
}

/** Removes the Services again; there is what was there before. */
async function gone(before: readonly string[], ...names: readonly string[]): Promise<void> {
  await here.remove(...names.map((name) => `service/${name}`))
  for (const name of names) await expect.poll(() => here.cluster.get('service', name)).toBeUndefined()
  await expect.poll(() => leftIn(here)).toEqual(before)
}

test(
  'after each step of 50 walks through every kind a Service is what it asks to be, and nothing is left',
  { timeout: 3_600_000 },
  async () => {
    await using operator = await here.at.operate()
    const before = await groupsOnly()
    const names = ['ann', 'bob', 'cid', 'dan', 'eve']
    const begun = performance.now()
    await Promise.all(
      names.map(async (name) => {
        const walker = new Walker(here, name)
        await walker.create()
        for (let time = 1; time <= 10; time += 1) await walker.walk()
      }),
    )
    console.log(`50 walks in ${Math.round((performance.now() - begun) / 1000)} s`)
    await gone(before, ...names)
    // Its own proxy has the name a moment longer than the group would have it.
    const expected = /: 409 a node is called \w+$|: well again$/
    expect(operator.logged.filter((line) => !expected.test(line))).toEqual([])
  },
)

test('a Service goes on from wherever Tailscale’s API was away in the middle of a step', async () => {
  await using operator = await here.at.operate()
  const before = await groupsOnly()
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
      await here.control.removeApiFaults()
    },
  })
  console.log(`steps that lacked the API: ${lacked.join()}`)
  await gone(before, 'fay')
  expect(operator.logged.filter((line) => line.includes('bug'))).toEqual([])
})

test('a Service goes on from wherever the operator was replaced in the middle of a step', async () => {
  let operator = await here.at.operate()
  const before = await groupsOnly()
  const walker = new Walker(here, 'gus')
  await walker.create()
  await walker.walk({
    meanwhile: async () => {
      await operator[Symbol.asyncDispose]()
      operator = await here.at.operate()
    },
  })
  await gone(before, 'gus')
  await operator[Symbol.asyncDispose]()
})
