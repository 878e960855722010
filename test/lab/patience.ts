/**
 * How long a test, or a part of a bed, waits for what must happen, in ms. It is not a measure of anything: a machine
 * may be slow or busy, and only what never happens should fail.
 */
export const patience = 180_000
