import type { Context } from '../world/context.ts'
import { logProblems } from '../world/log-problems.ts'
import type { World } from '../world/world.ts'
import { advertised } from './advertise.ts'
import { resolvedServe, servedConfig, servedDomain } from './reconciler.ts'
import { list, serveProblems, summarize } from './view.ts'

/** Logs what is served and hosted from now on, and what is not and why, until `signal` aborts. */
export function reportServe(context: Pick<Context, 'store' | 'log' | 'clock' | 'signal'>): void {
  const { store, log, signal } = context
  const problems = logProblems('what is served', context)
  let said: readonly unknown[] = ['', '']
  let seen: unknown
  store.watch(() => {
    const now = linesOf(store.world)
    for (const [index, line] of now.entries()) if (line !== '' && line !== said[index]) log(line)
    said = now
    const found = serveProblems(store.world)
    if (found === seen || resolvedServe(store.world) === undefined) return
    seen = found
    problems(found.map(({ entry, problem }) => `${entry}: ${problem}`))
  }, signal)
}

function linesOf(world: World): [served: string, hosted: string] {
  const served = servedConfig(world)
  const domain = servedDomain(world)
  const services = advertised(world)
  return [
    served === undefined ? '' : `serving ${summarize(served)}${domain === undefined ? '' : ` as ${domain}`}`,
    services.length === 0 ? '' : `hosting ${list('Tailscale Service', services)}`,
  ]
}
