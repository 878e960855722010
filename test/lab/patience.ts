/**
 * How long a test, or a part of a bed, waits for what must happen, in ms. It is not a measure of anything: a machine
 * may be slow or busy, and only what never happens should fail.
 */
export const patience = 180_000

/** For `expect.poll` of what takes many steps, each of which may take long. */
export const ofMany = { timeout: 5 * patience } as const
