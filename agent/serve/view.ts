import { memo } from '../../lib/memo.ts'
import { some } from '../../lib/some.ts'
import { type Misnamed, misnamed } from '../../serve/names.ts'
import { certDomain, entriesOf, type ServeConfig } from '../../wire/serve-config.ts'
import { advertised } from './advertise.ts'
import { ownName, resolvedServe, servedConfig } from './reconciler.ts'
import { serves } from './wanted.ts'
import type { World } from '../world/world.ts'

/** A problem of an entry of the serve config. */
export type ServeProblem = { readonly entry: string; readonly problem: string }

/** Why valid entries are not served yet, or why no client finds them. */
export const serveProblems = memo(
  (world: World) => [resolvedServe(world), ownName(world), world.tailnet.certDomains],
  (world): ServeProblem[] => {
    const resolved = resolvedServe(world)
    const own = ownName(world)
    if (resolved === undefined) return []
    return [
      ...resolved.withheld.map((entry) => ({
        entry,
        problem: 'it waits for HTTPS, which is off in the tailnet: switch on MagicDNS and HTTPS certificates there',
      })),
      ...(own === '' ? [] : misnamed(resolved.config, own, world.tailnet.certDomains ?? [])).map(misnaming),
    ]
  },
)

const misnaming = ({ entry, name, service, own }: Misnamed): ServeProblem => ({
  entry,
  problem: `no client finds what is served as ${name}: ${
    service === undefined
      ? `the name of this node is ${own}. Write ${certDomain}, which stands for it`
      : `the name of ${service} is ${own}`
  }`,
})

/** What is served, for the status; docs/operations.md documents the shape. */
export function serveView(world: World): Record<string, unknown> | null {
  if (!serves(world.settings)) return null
  const served = servedConfig(world)
  return {
    domain: resolvedServe(world)?.domain ?? null,
    ports: Object.keys(served?.TCP ?? {}).map(Number),
    services: Object.keys(served?.Services ?? {}).map((name) => ({
      name,
      advertised: advertised(world).includes(name),
      hosted: world.tailnet.hosted?.includes(name) ?? null,
    })),
    problems: serveProblems(world),
  }
}

/** How many entries are served and how many wait; undefined before that is known. */
export function serveCounts(world: World): { readonly served: number; readonly waiting: number } | undefined {
  const served = servedConfig(world)
  return served && { served: entriesOf(served).size, waiting: resolvedServe(world)?.withheld.length ?? 0 }
}

/** In one line. */
export function summarize({ TCP = {}, Services = {} }: ServeConfig): string {
  const parts = [list('port', Object.keys(TCP)), list('Tailscale Service', Object.keys(Services))]
  return parts.filter((part) => part !== '').join(' and ') || 'nothing'
}

/** `ports 80, 443`, or empty for none. */
export function list(what: string, names: readonly string[]): string {
  if (names.length === 0) return ''
  return `${what}${names.length === 1 ? '' : 's'} ${some(names, { most: 10, separator: ', ' })}`
}
