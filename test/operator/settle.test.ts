import { expect, test } from 'vitest'
import { settling } from '../../operator/settle.ts'

test.each<readonly [title: string, runs: readonly number[], times: readonly number[]]>([
  ['not at the first look', [5], []],
  ['once when nothing happens from the start on', [0, 0, 0, 0], [1]],
  ['not while there is much to do', [0, 100, 200, 300], []],
  ['when that is over, and no more after it', [100, 200, 205, 206, 206], [2]],
  ['not for a little work that comes again and again', [100, 100, 140, 140, 180, 180], [1]],
  ['again after much work', [100, 100, 300, 500, 500, 500], [1, 4]],
  ['again once little work has come to much', [100, 100, 109, 118, 190, 199, 200], [1, 6]],
])('memory is given back %s', (_title, runs, times) => {
  const isTime = settling()
  expect(runs.flatMap((now, look) => (isTime(now) ? [look] : []))).toEqual(times)
})
