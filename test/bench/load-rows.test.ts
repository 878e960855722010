import { expect, it } from 'vitest'
import { type Load, loadRows } from '../../bench/serve/requests.ts'

const load = (times: readonly number[], failed = 0): Load => ({ times, failed, elapsed: 2, processor: 0.5 })

it('pairs the n-th values of both sides', () => {
  const rows = loadRows('kept', { ours: [load([1, 2, 3]), load([4])], upstream: [load([2, 2]), load([8, 8, 8, 8])] })
  expect(rows).toEqual([
    { what: 'kept, rate', unit: '1/s', better: 'more', ours: [1.5, 0.5], other: [1, 2] },
    { what: 'kept, median', unit: 'ms', better: 'less', ours: [2, 4], other: [2, 8] },
    { what: 'kept, p99', unit: 'ms', better: 'less', ours: [2.98, 4], other: [2, 8] },
  ])
})

it('shows failures of either side, when there are any', () => {
  const failedOf = (ours: number, upstream: number) =>
    loadRows('new', { ours: [load([1], ours)], upstream: [load([1], upstream)] })[3]
  expect(failedOf(0, 0)).toBeUndefined()
  expect(failedOf(0, 2)).toEqual({ what: 'new, failed', unit: 'requests', better: 'less', ours: [0], other: [2] })
  expect(failedOf(1, 0)).toMatchObject({ ours: [1], other: [0] })
})
