import { isDeepStrictEqual } from 'node:util'
import { expect, onTestFailed } from 'vitest'
import { startBed, type Bed, type BedOptions } from './bed.ts'
import type { defaultTopology, Topology } from './spec.ts'

/**
 * `startBed` for use within a test: when the test fails, the last log lines of the bed's agents and daemons are
 * printed.
 */
export async function testBed<T extends Topology = typeof defaultTopology>(
  options: BedOptions<T> = {},
): Promise<Bed<keyof T & string>> {
  const bed = await startBed(options)
  printLogsOnFailure(bed)
  return bed
}

/**
 * Prints the last log lines of a bed when the current test fails. For a bed that several tests share: `beforeEach(() =>
 * printLogsOnFailure(bed))`.
 */
export function printLogsOnFailure(bed: Bed): void {
  onTestFailed(async () => {
    console.error(await bed.tails())
  })
}

/** An object without properties, for toMatchObject: to that, `{}` is any object. */
export const noEntries: unknown = expect.toSatisfy((value: unknown) => isDeepStrictEqual(value, {}))
