import { listed } from '../../lib/some.ts'
import { proxyClasses } from '../objects/resources.ts'
import type { ResolveClass } from '../proxy/class.ts'
import { overlay } from './overlay.ts'
import { examine } from './problems.ts'

/** A class is judged by what it says now, not by its condition, which may be about what it said before. */
export const resolveClass: ResolveClass = (name, world) => {
  const object = world.get(proxyClasses, name)
  if (object === undefined) return { notReady: `ProxyClass "${name}" does not exist` }
  const examined = examine(object, world)
  if ('problems' in examined) return { notReady: `ProxyClass "${name}" is invalid: ${listed(examined.problems)}` }
  const { spec, agent } = examined
  const metrics = spec.metrics?.enable === true
  const monitor = spec.metrics?.serviceMonitor
  return {
    name,
    agent,
    acceptRoutes: spec.tailscale?.acceptRoutes === true,
    isStaging: spec.useLetsEncryptStagingEnvironment === true,
    metrics,
    debug: spec.statefulSet?.pod?.tailscaleContainer?.debug?.enable ?? metrics,
    serviceMonitor: monitor?.enable === true ? { labels: monitor.labels ?? {} } : undefined,
    staticEndpoints: spec.staticEndpoints,
    overlay: (statefulSet) => overlay(statefulSet, spec),
  }
}
