import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** The function that V8 exposes as `gc`. */
type Collect = (options: { readonly type: 'major'; readonly execution: 'sync'; readonly flavor: 'last-resort' }) => void

/**
 * Makes V8 free everything it can, unused compiled code included; it blocks for some 30 ms, or longer with a large heap.
 * V8 does this on its own only while more is allocated, so that an idle process would keep what it needed when it had
 * much to do.
 */
export function freeMemory(): void {
  setFlagsFromString('--expose-gc')
  const collect: Collect = runInNewContext('gc')
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
}

/**
 * Lets the young generation not grow from now on: a storm of changes would make it several times as large as everything
 * that is kept, and V8 does not shrink it soon. The cost, more and shorter collections, is a third more processor time
 * for such a storm in a large heap.
 */
export function keepYoungSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1')
}
