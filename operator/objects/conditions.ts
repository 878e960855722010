/** A condition of an object's status, before times and generation are added. */
export type Condition = {
  readonly type: string
  readonly status: 'True' | 'False' | 'Unknown'
  readonly reason: string
  readonly message: string
}

/** As the API has it. */
export type TimedCondition = Condition & {
  /** RFC 3339, in seconds: since when the status is as it is. */
  readonly lastTransitionTime: string
  /** The generation of the object that it is about; objects of some kinds have none. */
  readonly observedGeneration?: number
}

/** The API accepts no longer message in its own kinds. */
const longestMessage = 32_768

/**
 * Conditions as they are to be written, given those that the object has: the time changes only with the status, so that
 * nothing is written when nothing has changed.
 */
export const timed = (
  conditions: readonly Condition[],
  present: readonly Partial<TimedCondition>[],
  generation: number | undefined,
  now: Date,
): TimedCondition[] =>
  conditions.map((condition) => {
    const before = present.find(({ type }) => type === condition.type)
    const since = before?.status === condition.status ? before.lastTransitionTime : undefined
    return {
      ...condition,
      message: condition.message.slice(0, longestMessage),
      lastTransitionTime: since ?? now.toISOString().replace(/\.\d+Z$/, 'Z'),
      ...(generation !== undefined && { observedGeneration: generation }),
    }
  })
