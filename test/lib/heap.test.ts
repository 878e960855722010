import { expect, it } from 'vitest'
import { freeMemory } from '../../lib/heap.ts'

it('frees memory that is no longer referenced', () => {
  const used = (): number => process.memoryUsage().heapUsed
  const garbage: object[] = []
  const before = used()
  for (let count = 0; count < 1_000_000; count += 1) garbage.push({ count })
  const held = used() - before
  garbage.length = 0
  freeMemory()
  expect(used() - before).toBeLessThan(held / 4)
})
