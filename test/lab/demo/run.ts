import { buildAgent } from '../../../tools/build.ts'
import { startBed, type Bed } from '../bed.ts'
import { lastLines, table } from '../cli/show.ts'
import { checkBedName } from '../ground/record.ts'
import { tearDown } from '../ground/teardown.ts'
import { progress, seconds, type Progress } from '../progress.ts'
import { prepare } from '../ready.ts'
import { startAgent } from './agent.ts'
import { startBackend } from './backend.ts'
import { isRefused, reach, ways, type Reached } from './reach.ts'

export type DemoOptions = { readonly keep: boolean; readonly name: string }

/** Runs the demo; returns the exit code. What failed is shown with the last lines of everything that ran. */
export async function runDemo({ keep, name }: DemoOptions): Promise<number> {
  checkBedName(name)
  const started = performance.now()
  const preparation = await prepare()
  const steps = progress(preparation.steps + 4 + 2 * ways.length)
  await preparation.run(steps)
  const bundle = await steps.step('bundle the agent', buildAgent)
  const bed = await steps.step('start the tailnet', () => startBed({ name, owned: !keep }))
  const stopListening = takeDownOnSignal(name)
  let reached: Reached[] | undefined
  try {
    reached = await carryPackets(bed, bundle, steps)
  } catch (error) {
    console.error(`\n${await lastLines(name, 25)}`)
    throw error
  } finally {
    stopListening()
    if (reached === undefined || !keep) await tearDown(name)
  }
  console.log(`\n${table([['REACHED', 'FROM', 'WHAT CAME BACK', 'THE BACKEND SAW', 'TOOK'], ...reached.map(row)])}\n`)
  console.log(`${reached.length} of ${reached.length} ways reached, ${seconds(performance.now() - started)} in all.`)
  console.log(keep ? howToLook(name) : 'Nothing is left running.')
  return 0
}

async function carryPackets(
  bed: Bed<'client' | 'proxy' | 'backend'>,
  bundle: string,
  steps: Progress,
): Promise<Reached[]> {
  const { v4, v6 } = await steps.step('start a backend', () => startBackend(bed))
  const proxy = await steps.step('start the agent in front of it', (note) => startAgent(bed, bundle, [v4, v6], note))
  const reached: Reached[] = []
  for (const way of ways) {
    const to = proxy[way.family]
    const what = `${way.protocol.toUpperCase()} over ${way.title}: client → proxy (${to}) → backend`
    reached.push(
      await steps.step(what, async (note) => {
        const one = await reach(bed, way, to)
        note(`"${one.answer.data}" came back`)
        return one
      }),
    )
  }
  for (const way of ways) {
    const to = way.family === 'v4' ? v4 : v6
    const what = `${way.protocol.toUpperCase()} over ${way.title}: client → backend (${to}) directly is refused`
    await steps.step(what, () => isRefused(bed, way, to))
  }
  return reached
}

function row({ way, to, answer: { host, peer, peerPort, data, took } }: Reached): string[] {
  const title = `${way.protocol.toUpperCase()} ${way.title}`
  return [title, `${host} through ${to}`, `"${data}"`, `${peer} port ${peerPort}`, `${took.toFixed(1)} ms`]
}

/** Ctrl-C removes everything too. Returns how to stop listening for it. */
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

function howToLook(name: string): string {
  return `Everything is still up. Look around:

  npm run lab -- status --name ${name}
  npm run lab -- exec --name ${name} client -- tailscale status
  npm run lab -- exec --name ${name} client -- tailscale ping proxy
  npm run lab -- exec --name ${name} proxy -- nft list ruleset
  npm run lab -- logs --name ${name} proxy
  npm run lab -- down --name ${name}`
}
