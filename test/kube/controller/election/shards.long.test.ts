import { test } from 'vitest'
import { expectNeverTwo } from './never-two.ts'

test('two never work on one key in hundreds of random courses of pauses, cuts, kills, deletions and other numbers of shards', () =>
  expectNeverTwo(400))
