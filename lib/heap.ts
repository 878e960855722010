import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** The function that V8 exposes as `gc`. */
type Collect = (options: { readonly type: 'major'; readonly execution: 'sync'; readonly flavor: 'last-resort' }) => void

/**
 * Makes V8 free everything it can, unused compiled code included; it blocks for some 30 ms. V8 does this on its own
 * only while more is allocated, so that an idle process would keep what its start has left. From then on the young
 * generation does not grow: a storm of changes would make it several times as large as everything that is kept, and V8
 * does not shrink it soon. The cost, more and shorter collections, would show during the start alone.
 */
export function settleHeap(): void {
  setFlagsFromString('--semi-space-growth-factor=1')
  setFlagsFromString('--expose-gc')
  const collect: Collect = runInNewContext('gc')
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
}
