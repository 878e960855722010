import { isFrom } from '../../wire/capability-version.ts'
import type { Context } from '../world/context.ts'
import { logProblems } from '../world/log-problems.ts'
import type { World } from '../world/world.ts'
import { advertised } from './advertise.ts'
import { resolvedServe, servedConfig, servedDomain } from './reconciler.ts'
import { list, serveProblems, summarize } from './view.ts'

/** Logs what is served and hosted from now on, and what is not and why, until `signal` aborts. */
export function reportServe(context: Pick<Context, 'store' | 'log' | 'clock' | 'signal' | 'background'>): void {
  const { store, log, signal, background } = context
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
  if (store.world.settings.sharesAcmeAccount)
    background('looking at tailscaled’s version', () => reportAccount(context))
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

/** Warns once if tailscaled is too old to share the ACME account. */
async function reportAccount({ store, log, signal }: Pick<Context, 'store' | 'log' | 'signal'>): Promise<void> {
  const { tailnet } = await store.until((world) => world.tailnet.version !== undefined, signal)
  if (isFrom(tailnet.version ?? '', '1.103') !== false) return
  log(
    `warning: TS_ACME_ACCOUNT_SECRET_NAME and TS_ACME_ACCOUNT_FIELD have no effect: tailscaled ${tailnet.version} keeps an account for certificates in each node, and shares one from 1.103 on`,
  )
}
