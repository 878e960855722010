import { serveKey } from '../../../agent/serve/reconciler.ts'
import type { Environment } from '../../../agent/settings/read.ts'
import type { World } from '../../../agent/world/world.ts'
import type { ServeConfig } from '../../../wire/serve-config.ts'
import { aReport, aWorld } from '../a-world.ts'

/** A site under the node's name. */
export const site = {
  TCP: { 443: { HTTPS: true } },
  Web: { '${TS_CERT_DOMAIN}:443': { Handlers: { '/': { Text: 'x' } } } },
}

/** What is mounted, the certificate domains, what is served, and why the last attempt failed. */
type About = { config?: ServeConfig; certDomains?: string[] | undefined; served?: ServeConfig; error?: string }

/** A World in which this is mounted and served. */
export function aServingWorld(
  { config = site, certDomains = ['p.lab.ts.net'], served, error }: About,
  change: Partial<World> = {},
  env: Environment = {},
): World {
  const base = aWorld({}, { TS_SERVE_CONFIG: '/etc/serve.json', ...env })
  const verified = served && { config: served, domain: 'p.lab.ts.net', restarts: 0 }
  return {
    ...base,
    mounted: { serveConfig: { content: { config, rejections: [], warnings: [] } } },
    tailnet: { ...base.tailnet, certDomains },
    ...(verified && {
      reports: { [serveKey.name]: aReport(verified, error === undefined ? {} : { error }) },
    }),
    ...change,
  }
}
