import type { LogEvent } from '../../lib/log-event.ts'
import type { Context } from '../world/context.ts'
import { logProblems } from '../world/log-problems.ts'
import type { World } from '../world/world.ts'
import { advertised } from './advertise.ts'
import { resolvedServe, servedConfig, servedDomain } from './reconciler.ts'
import { list, serveProblems, summarize } from './view.ts'
import { events } from './log-events.ts'

/** Logs what is served and hosted from now on, and what is not and why, until `signal` aborts. */
export function reportServe(context: Pick<Context, 'store' | 'log' | 'clock' | 'signal'>): void {
  const { store, log, signal } = context
  const problems = logProblems('what is served', events.problem, context)
  let said: ReturnType<typeof linesOf> = [undefined, undefined]
  let seen: unknown
  store.watch(() => {
    const now = linesOf(store.world)
    for (const [index, line] of now.entries()) if (line !== undefined && line.text !== said[index]?.text) log(line)
    said = now
    const found = serveProblems(store.world)
    if (found === seen || resolvedServe(store.world) === undefined) return
    seen = found
    problems(found.map(({ entry, problem }) => `${entry}: ${problem}`))
  }, signal)
}

function linesOf(world: World): readonly [served: LogEvent | undefined, hosted: LogEvent | undefined] {
  const served = servedConfig(world)
  const domain = servedDomain(world)
  const services = advertised(world)
  const what = served === undefined ? undefined : summarize(served)
  return [
    what === undefined ? undefined : domain === undefined ? events.serves({ what }) : events.servesAs({ what, domain }),
    services.length === 0 ? undefined : events.hosts({ services: list('Tailscale Service', services) }),
  ]
}
