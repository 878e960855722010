import { isDeepStrictEqual } from 'node:util'

/** What a reconciler last achieved. */
export type Report<Desired> = {
  /** The desired state of its last attempt. */
  readonly desired: Desired
  /** What was last read back; absent if it is known to be lost. */
  readonly verified?: Desired
  /** When that was. */
  readonly verifiedAt?: Date
  /** What a running or failed attempt was to put in place of `verified`, parts of which it may have removed. */
  readonly attempting?: Desired
  /** Why the last attempt failed; absent if it succeeded. */
  readonly error?: string
  /** How often a change by another program was repaired. */
  readonly repairs: number
  /** How many attempts have failed. */
  readonly failures: number
}

/** Reports by reconciler name; read them with `reportOf`, which knows their types. */
export type Reports = Readonly<Record<string, Report<unknown>>>

declare const desiredType: unique symbol

/** The name of a reconciler, typed by its desired state. */
export type ReconcilerKey<Desired> = { readonly name: string; readonly [desiredType]?: (desired: Desired) => Desired }

export const reconcilerKey = <Desired>(name: string): ReconcilerKey<Desired> => ({ name })

type HasReports = { readonly reports: Reports }

/** Undefined before the first attempt. */
export const reportOf = <Desired>(
  { reports }: HasReports,
  { name }: ReconcilerKey<Desired>,
): Report<Desired> | undefined => reports[name] as Report<Desired> | undefined

/** Whether the last attempt was for `wanted` and was verified. */
export function isInPlace<Desired>(world: HasReports, key: ReconcilerKey<Desired>, wanted: Desired): boolean {
  const report = reportOf(world, key)
  return report !== undefined && report.error === undefined && isDeepStrictEqual(report.verified, wanted)
}

/** Whether the last attempt was for `wanted`, whatever its result. */
export function wasAttempted<Desired>(world: HasReports, key: ReconcilerKey<Desired>, wanted: Desired): boolean {
  const report = reportOf(world, key)
  return report !== undefined && isDeepStrictEqual(report.desired, wanted)
}

/** Why reconcilers have failed, each with its name. */
export const reportedErrors = ({ reports }: HasReports): string[] =>
  Object.entries(reports).flatMap(([name, { error }]) => (error === undefined ? [] : [`${name}: ${error}`]))
