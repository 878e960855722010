import { afterAll, beforeAll, beforeEach, test } from 'vitest'
import { ReplicasBed } from './replicas-bed.ts'
import { Replicas } from './replicas.ts'

let here: ReplicasBed
beforeAll(async () => {
  here = await ReplicasBed.start()
})
afterAll(() => here[Symbol.asyncDispose]())
beforeEach(() => here.printOnFailure())

test('a hundred random kills, stops and cuts of three replicas: each Service gets its proxy once, and only one writes', async () => {
  await using replicas = await Replicas.start(here.bed, ['one', 'two', 'three'])
  await here.survives(replicas, 100)
})
