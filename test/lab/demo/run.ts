import { lastLines, table } from '../cli/show.ts'
import { checkBedName } from '../namespaces/record.ts'
import { tearDown } from '../namespaces/teardown.ts'
import { progress, seconds, type Progress } from '../progress.ts'
import { prepare } from '../ready.ts'
import { isRefused, reach, shown, ways } from './reach.ts'
import type { Addresses, DemoBed, Show, Shown, Variant } from './variant.ts'

export type DemoOptions = { readonly keep: boolean; readonly name: string }

/** Runs the demo; returns the exit code. After a failure it prints the last log lines of everything that ran. */
export async function runDemo(variant: Variant, { keep, name }: DemoOptions): Promise<number> {
  checkBedName(name)
  const began = performance.now()
  const preparation = await prepare(...variant.groups)
  const steps = progress(preparation.steps + variant.steps + 2 * ways.length + (variant.shows ?? 0))
  await preparation.run(steps)
  let made: DemoBed | undefined
  const started = (bed: DemoBed): void => {
    made = bed
  }
  const stopListening = takeDownOnSignal(name)
  let reached: Shown[] | undefined
  let story = ''
  try {
    const { bed, proxy, backend, further = [], ...played } = await variant.play({ name, owned: !keep, started }, steps)
    reached = [...(await carryPackets(bed, proxy, backend, steps)), ...(await showFurther(further, steps))]
    story = (await played.story?.()) ?? ''
  } catch (error) {
    // Only if this demo made the bed: one of this name may have been up already.
    if (made !== undefined) console.error(`\n${await lastLines(name, 25)}`)
    throw error
  } finally {
    stopListening()
    if (made !== undefined && (reached === undefined || !keep)) await tearDown(name)
  }
  console.log(`\n${table([['REACHED', 'FROM', 'WHAT CAME BACK', 'THE BACKEND SAW', 'TOOK'], ...reached.map(row)])}\n`)
  if (story !== '') console.log(`${story}\n`)
  console.log(`${reached.length} of ${reached.length} ways reached, ${seconds(performance.now() - began)} in all.`)
  console.log(keep ? howToLook(variant, name) : 'Nothing is left running.')
  return 0
}

async function carryPackets(bed: DemoBed, proxy: Addresses, backend: Addresses, steps: Progress): Promise<Shown[]> {
  const reached: Shown[] = []
  for (const way of ways) {
    const to = proxy[way.family]
    const what = `${way.protocol.toUpperCase()} over ${way.title}: client → proxy (${to}) → backend`
    reached.push(
      await steps.step(what, async (note) => {
        const answer = await reach(bed, way, to)
        note(`"${answer.data}" came back`)
        return shown(`${way.protocol.toUpperCase()} ${way.title}`, to, answer)
      }),
    )
  }
  for (const way of ways) {
    const to = backend[way.family]
    const what = `${way.protocol.toUpperCase()} over ${way.title}: client → backend (${to}) directly is refused`
    await steps.step(what, () => isRefused(bed, way, to))
  }
  return reached
}

async function showFurther(all: readonly Show[], steps: Progress): Promise<Shown[]> {
  const rows: Shown[] = []
  for (const { what, show } of all) rows.push(await steps.step(what, show))
  return rows
}

const row = ({ title, from, came, saw, took }: Shown): string[] => [title, from, came, saw, `${took.toFixed(1)} ms`]

/** Removes everything at Ctrl-C. Returns a function that removes the signal handlers. */
function takeDownOnSignal(name: string): () => void {
  let stopping = false
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) return
    stopping = true
    console.error(`\nculvert: ${signal}: taking the demo down`)
    void tearDown(name).finally(() => process.exit(signal === 'SIGINT' ? 130 : 143))
  }
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const signal of signals) process.on(signal, stop)
  return () => {
    for (const signal of signals) process.off(signal, stop)
  }
}

function howToLook(variant: Variant, name: string): string {
  const commands = [`status --name ${name}`, ...variant.look(name), `down --name ${name}`]
  return `Everything is still up. Look around:\n\n${commands.map((command) => `  npm run lab -- ${command}`).join('\n')}`
}
