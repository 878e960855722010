import { rmSync } from 'node:fs'
import type { Server } from 'node:http'
import type { Clock } from '../../lib/clock.ts'
import { describe } from '../../lib/errors.ts'
import { listen, serve } from '../../lib/http-server.ts'
import type { Log } from '../../lib/log.ts'
import type { ReadFigures } from '../figures/figures.ts'
import { rulesetView } from '../forwarding/ruleset.ts'
import { statusView } from '../status/status.ts'
import { type Observed, probes } from './probes.ts'
import { events } from './log-events.ts'

type Parts = {
  readonly observed: Observed
  readonly version: string
  /** Those of the agent. */
  readonly flags: readonly string[]
  readonly figures: ReadFigures
  readonly log: Log
  readonly clock: Clock
  /** Gets errors that occur later. */
  readonly problems: (all: readonly string[]) => void
}

/**
 * Opens the unix socket for status and readiness, accessible to the agent's user alone. A failure is only a warning,
 * since traffic does not depend on it.
 */
export async function openStatusSocket(
  path: string,
  { observed, version, flags, figures, log, clock, problems }: Parts,
): Promise<Server | undefined> {
  const { world, since, named } = observed
  const routes = {
    ...probes(observed),
    '/ruleset': async () => {
      const { traffic } = await figures()
      return { status: 200, body: JSON.stringify(rulesetView(world(), traffic?.accounts.read)) }
    },
    '/status': async () => {
      const agent = { pid: process.pid, flags }
      const circumstances = { version, since, figures: await figures(), now: clock.date(), agent }
      return { status: 200, body: named(JSON.stringify(statusView(world(), circumstances))) }
    },
  }
  try {
    // A container runs one agent, so that an existing socket is left over from an earlier one.
    rmSync(path, { force: true })
    // The socket is created within listen(), so that the umask affects nothing else.
    const mask = process.umask(0o177)
    const failed = (error: Error): void => problems([`a connection to ${path} was not accepted: ${describe(error)}`])
    const opening = listen(serve(routes), { path }, { failed })
    process.umask(mask)
    return await opening
  } catch (error) {
    log(events.noSocket({ path, problem: error }))
    return undefined
  }
}
