import { alternate } from './alternate.ts'
import type { BenchBed } from './bench-bed.ts'
import { compileCache, type Contestant, type ContestantName } from './contestant.ts'
import { Proxy } from './proxy.ts'
import type { Section } from './section.ts'
import { median } from './stats.ts'

/** Starts and stops every contestant `repeats` times, plus one that fills caches and is not counted. */
export async function measureStartup(
  bed: BenchBed,
  all: Readonly<Record<ContestantName, Contestant>>,
  repeats: number,
  note: (detail: string) => void,
): Promise<Section> {
  const once = async (name: ContestantName, repeat: number): Promise<{ ready: number; stop: number }> => {
    note(`${name}, ${repeat} of ${repeats}`)
    const proxy = await Proxy.start(bed, all[name], 'v4')
    return { ready: proxy.readyAfter, stop: await proxy.stop() }
  }
  const names = ['ours', 'upstream', 'cached'] as const
  for (const name of names) await once(name, 0)
  const took = await alternate(names, repeats, (name, repeat) => once(name, repeat + 1))
  const ready = (name: ContestantName): number[] => took[name].map((one) => one.ready)
  const stop = (name: ContestantName): number[] => took[name].map((one) => one.stop)

  const times = { unit: 'ms', better: 'less' } as const
  const entering = await emptyProgram(bed, ['true'], {})
  const node = await emptyProgram(bed, [process.execPath, '--eval', '0'], compileCache)
  return {
    title: 'Start and stop',
    against: 'upstream',
    rows: [
      { what: 'process start to ready', ...times, ours: ready('ours'), other: ready('upstream') },
      { what: '… with a warm compile cache', ...times, ours: ready('cached'), other: ready('upstream') },
      { what: 'SIGTERM to exit', ...times, ours: stop('ours'), other: stop('upstream') },
    ],
    note:
      'Ready is the line `Startup complete, waiting for shutdown signal`. Every start is a new node: fresh state, ' +
      `a login. Entering the host takes ${entering.toFixed(0)} ms of each time; an empty program under Node takes ` +
      `${(node - entering).toFixed(0)} ms more.`,
  }
}

/** Milliseconds, median, from start to end of a program that does nothing. */
async function emptyProgram(bed: BenchBed, argv: readonly string[], env: Record<string, string>): Promise<number> {
  const took: number[] = []
  for (let repeat = 0; repeat < 5; repeat += 1) {
    const begun = performance.now()
    await bed.host('ours').exec(argv, { env })
    took.push(performance.now() - begun)
  }
  return median(took)
}
