import { CulvertError } from '../lib/errors.ts'
import type { Bed } from '../test/lab/bed.ts'
import { tearDown } from '../test/lab/namespaces/teardown.ts'
import { limit } from './size.ts'

/**
 * Measures in a bed of its own, which ends afterwards. Rejects when that takes longer than `limit` seconds, and prints
 * the last log lines of everything that ran when it fails.
 */
export async function inBed<B extends Bed, T>(started: Promise<B>, measure: (bed: B) => Promise<T>): Promise<T> {
  await using bed = await started
  const interruption = takeDownOnSignal(bed.name)
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(
    () => late.reject(new CulvertError('command', `given up after ${limit} s; the machine is too busy to measure on`)),
    limit * 1000,
  )
  try {
    return await Promise.race([late.promise, measure(bed)])
  } catch (error) {
    // Failures are now due to the bed being taken down, and the process is about to end.
    if (interruption.begun()) await new Promise<never>(() => {})
    console.error(`\n${await bed.tails()}`)
    throw error
  } finally {
    clearTimeout(timer)
    interruption.ignore()
  }
}

/** Ctrl-C removes everything, too. */
function takeDownOnSignal(bed: string): { readonly begun: () => boolean; readonly ignore: () => void } {
  const signals = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const
  let stopping = false
  const listeners = Object.entries(signals).map(([signal, code]) => {
    const stop = (): void => {
      if (stopping) return
      stopping = true
      void tearDown(bed).finally(() => process.exit(code))
    }
    // Not `once`: with the listener already removed, other listeners would end the process at once.
    process.on(signal, stop)
    return { signal, stop }
  })
  return {
    begun: () => stopping,
    ignore: () => {
      for (const { signal, stop } of listeners) process.off(signal, stop)
    },
  }
}
