import { expect, it } from 'vitest'
import { collectGarbage } from '../../lib/garbage.ts'

it('gives back what nobody holds any more', () => {
  const used = (): number => process.memoryUsage().heapUsed
  const garbage: object[] = []
  const before = used()
  for (let count = 0; count < 1_000_000; count += 1) garbage.push({ count })
  const held = used() - before
  garbage.length = 0
  collectGarbage()
  expect(used() - before).toBeLessThan(held / 4)
})
