import type { Environment } from '../../../agent/settings/read.ts'
import type { World } from '../../../agent/world/world.ts'
import type { EgressService } from '../../../wire/egress-services.ts'
import { aWorld } from '../a-world.ts'

export const podAddress = '10.0.0.1'

const service = (name: string, healthCheckEndpoint: string): EgressService => ({
  name,
  target: { kind: 'name', name: 'db.lab.ts.net.' },
  tailnetTarget: { ip: '', fqdn: 'db.lab.ts.net' },
  ports: [],
  healthCheckEndpoint,
})

/** A World with ProxyGroup egress services, given as their health URLs by name. */
export function aDrainingWorld(urls: Readonly<Record<string, string>> = {}, env: Environment = {}, pings = 3): World {
  const services = new Map(Object.entries(urls).map(([name, url]) => [name, service(name, url)]))
  return aWorld(
    { mounted: { egressServices: { content: { services, rejections: [] } }, healthPings: { content: pings } } },
    { TS_USERSPACE: 'false', TS_ENABLE_HEALTH_CHECK: 'true', POD_IPS: podAddress, ...env },
  )
}
