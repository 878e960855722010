/**
 * For how long a test, or a part of a bed, waits for what must come, in ms. It is no limit that anything is measured by:
 * a machine may be slow or busy, and only what does not come at all is to fail.
 */
export const patience = 180_000
