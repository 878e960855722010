import { isStale, UserError } from '../../kube/controller/controller.ts'
import { describe } from '../../lib/errors.ts'
import type { Refused } from '../kind.ts'

/** Has it told why something failed, for this reason; it is tried again by whoever gets the error. */
export async function explained<T>(
  action: () => Promise<T>,
  reason: string,
  tell: (refused: Refused) => Promise<unknown>,
  signal: AbortSignal,
): Promise<T> {
  try {
    return await action()
  } catch (error) {
    // These are told as such, or are nobody's fault.
    if (!(error instanceof UserError) && !isStale(error) && !signal.aborted)
      await tell({ as: 'failed', reason, message: describe(error) })
    throw error
  }
}
