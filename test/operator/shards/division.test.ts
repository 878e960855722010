import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { labelValue } from '../../../operator/objects/parent.ts'
import { divide, whole } from '../../../operator/shards/division.ts'

const names = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/)
const keys = fc.tuple(names, names).map(([namespace, name]) => `${namespace}/${name}`)
const labelled = fc.array(fc.tuple(names, fc.nat(2)), { maxLength: 5 }).map((all) => new Map(all))

test('each object is in one shard, that of its namespace if that names one, whatever the order of the namespaces', () => {
  fc.assert(
    fc.property(keys, fc.integer({ min: 3, max: 16 }), labelled, (key, count, all) => {
      const { shardOf, plan } = divide(count, all)
      const shard = shardOf(key)
      expect(shard).toBe(all.get(key.split('/')[0]!) ?? divide(count).shardOf(key))
      expect(shard).toBeGreaterThanOrEqual(0)
      expect(shard).toBeLessThan(count)
      const other = divide(count, new Map([...all].toReversed()))
      expect([other.shardOf(key), other.plan]).toEqual([shard, plan])
    }),
  )
})

test('an object with a long name is in the shard of that name as labels have it', () => {
  for (const name of ['x', 'y', 'z'].map((letter) => letter.repeat(80)))
    for (const count of [2, 3, 5])
      expect(divide(count).shardOf(`apps/${labelValue(name)}`)).toBe(divide(count).shardOf(`apps/${name}`))
})

test('many objects are spread evenly', () => {
  const { shardOf } = divide(4)
  const counts = [0, 0, 0, 0]
  for (let index = 0; index < 4000; index += 1) counts[shardOf(`apps/service-${index}`)]! += 1
  for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150)
})

test('divisions that differ have plans that differ', () => {
  const plans = [
    whole,
    divide(2),
    divide(3),
    divide(3, new Map([['a', 1]])),
    divide(3, new Map([['a', 2]])),
    divide(3, new Map([['b', 1]])),
  ].map(({ plan }) => plan)
  expect(new Set(plans).size).toBe(plans.length)
})

test('with one shard there is nothing to divide, whatever labels say', () => {
  expect(divide(1, new Map([['a', 1]]))).toBe(whole)
})
