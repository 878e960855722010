import { CulvertError } from '../lib/errors.ts'
import { tearDown } from '../test/lab/ground/teardown.ts'
import { progress, type Progress } from '../test/lab/progress.ts'
import { prepare } from '../test/lab/ready.ts'
import { buildAgent } from '../tools/build.ts'
import { startBenchBed, type BenchBed } from './bench-bed.ts'
import { contestants } from './contestant.ts'
import { gatherFacts } from './facts.ts'
import { measureImages } from './image.ts'
import { measureMemory } from './memory.ts'
import type { Section } from './section.ts'
import { limit, type Size } from './size.ts'
import { measureStartup } from './startup.ts'
import { measureTraffic, trafficSteps } from './traffic.ts'

export type Results = { readonly sections: readonly Section[]; readonly facts: [string, string][] }

/** Measures everything in a bed of its own, which ends with it. Rejects when that takes longer than `limit` seconds. */
export async function runBench(size: Size, commit: string | undefined): Promise<Results> {
  const preparation = await prepare('image')
  const steps = progress(preparation.steps + (size.images ? 5 : 4) + trafficSteps)
  await preparation.run(steps)
  const images = size.images ? [await steps.step('size of the images', measureImages)] : []
  const bundle = await steps.step('bundle the agent', buildAgent)
  await using bed = await steps.step('start the tailnet', startBenchBed)
  const interruption = takeDownOnSignal(bed.name)
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(
    () => late.reject(new CulvertError('command', `given up after ${limit} s; the machine is too busy to measure on`)),
    limit * 1000,
  )
  try {
    const { sections, facts } = await Promise.race([late.promise, measure(bed, bundle, size, commit, steps)])
    return { sections: [...sections, ...images], facts }
  } catch (error) {
    // What fails then fails because the bed is being taken down, and the process is about to end.
    if (interruption.begun()) await new Promise<never>(() => {})
    console.error(`\n${await bed.tails()}`)
    throw error
  } finally {
    clearTimeout(timer)
    interruption.ignore()
  }
}

async function measure(
  bed: BenchBed,
  bundle: string,
  size: Size,
  commit: string | undefined,
  steps: Progress,
): Promise<Results> {
  const all = contestants(bundle)
  const startup = await steps.step('start and stop', (note) => measureStartup(bed, all, size.startups, note))
  const memory = await steps.step('memory', (note) => measureMemory(bed, all, size.memory, note))
  const traffic = await measureTraffic(bed, all, size, steps)
  return { sections: [startup, ...memory, ...traffic], facts: await gatherFacts(bed, commit) }
}

/** Ctrl-C removes everything too. */
function takeDownOnSignal(bed: string): { readonly begun: () => boolean; readonly ignore: () => void } {
  const signals = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const
  let stopping = false
  const listeners = Object.entries(signals).map(([signal, code]) => {
    const stop = (): void => {
      if (stopping) return
      stopping = true
      void tearDown(bed).finally(() => process.exit(code))
    }
    // Not `once`: a listener that is gone already when others look lets them end the process at once.
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
