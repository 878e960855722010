import { isDeepStrictEqual } from 'node:util'

/** What a reconciler last achieved. */
export type Report<Desired> = {
  /** What it wanted at its last attempt. */
  readonly desired: Desired
  /** What was last read back; absent when it is known to be lost. */
  readonly verified?: Desired
  /** When that was. */
  readonly verifiedAt?: Date
  /**
   * What an attempt that is under way, or has failed, was to put in place of `verified`, of which it may have left
   * less.
   */
  readonly attempting?: Desired
  /** Why the last attempt failed; absent when it succeeded. */
  readonly error?: string
  /** How often another program had changed what was verified before, and it was repaired. */
  readonly repairs: number
  /** How many attempts have failed. */
  readonly failures: number
}

/** Reports by the name of their reconciler; read them with `reportOf`, which knows their types. */
export type Reports = Readonly<Record<string, Report<unknown>>>

declare const desiredType: unique symbol

/** The name of a reconciler, which bears the type of what it wants. */
export type ReconcilerKey<Desired> = { readonly name: string; readonly [desiredType]?: (desired: Desired) => Desired }

export const reconcilerKey = <Desired>(name: string): ReconcilerKey<Desired> => ({ name })

type HasReports = { readonly reports: Reports }

/** Undefined before the first attempt. */
export const reportOf = <Desired>(
  { reports }: HasReports,
  { name }: ReconcilerKey<Desired>,
): Report<Desired> | undefined => reports[name] as Report<Desired> | undefined

/** Whether `wanted` was what the last attempt was for, and it was read back. */
export function isInPlace<Desired>(world: HasReports, key: ReconcilerKey<Desired>, wanted: Desired): boolean {
  const report = reportOf(world, key)
  return report !== undefined && report.error === undefined && isDeepStrictEqual(report.verified, wanted)
}

/** Whether `wanted` was what the last attempt was for, whatever came of it. */
export function wasAttempted<Desired>(world: HasReports, key: ReconcilerKey<Desired>, wanted: Desired): boolean {
  const report = reportOf(world, key)
  return report !== undefined && isDeepStrictEqual(report.desired, wanted)
}

/** Why reconcilers have failed, each with its name. */
export const reportedErrors = ({ reports }: HasReports): string[] =>
  Object.entries(reports).flatMap(([name, { error }]) => (error === undefined ? [] : [`${name}: ${error}`]))
