import type { Event } from '../../kube/controller/events.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import { finalizer } from '../objects/names.ts'
import { customResourceDefinitions, proxyClasses } from '../objects/resources.ts'
import { listed } from '../../lib/some.ts'
import type { Judged } from '../judged.ts'
import type { ProxyClassSpec } from '../schemas/proxy-class.ts'
import { examine } from './problems.ts'

type PodSpec = NonNullable<ProxyClassSpec['statefulSet']>['pod']

/** A ProxyClass has nothing of its own: only whether it can be used is told. */
export const proxyClass: Judged = {
  name: 'ProxyClass',
  resource: proxyClasses,
  // Tailscale's operator has set it, and would do nothing before it removes it.
  finalizer,
  judge: (object, world) => {
    const examined = examine(object, world)
    if ('problems' in examined) {
      const message = `${listed(examined.problems)}. Proxies stay as they are until this is corrected.`
      return {
        conditions: [{ type: 'ProxyClassReady', status: 'False', reason: 'ProxyClassInvalid', message }],
        events: [{ type: 'Warning', reason: 'ProxyClassInvalid', message }],
      }
    }
    return {
      conditions: [
        { type: 'ProxyClassReady', status: 'True', reason: 'ProxyClassValid', message: 'Proxies can use the class.' },
      ],
      events: variablesOf(examined.spec.statefulSet?.pod),
    }
  },
  concerns: [
    { resource: customResourceDefinitions, keys: (_changed, world) => namesOf(world.all(proxyClasses)) },
    // Ports that one class gives up are free for another one.
    { resource: proxyClasses, keys: (_changed, world) => namesOf(world.all(proxyClasses)) },
  ],
}

/** Variables of the agent that a class sets may change what the operator relies on. */
function variablesOf(pod: PodSpec): readonly Event[] {
  const names = [pod?.tailscaleContainer, pod?.tailscaleInitContainer]
    .flatMap((container) => container?.env ?? [])
    .map(({ name }) => name)
    .filter((name) => name.startsWith('TS_') || name.startsWith('CULVERT_'))
  if (names.length === 0) return []
  const message = `The class sets variables of the agent, which may contradict what the operator sets: ${listed(names)}.`
  return [{ type: 'Warning', reason: 'CustomTSEnvVar', message }]
}

const namesOf = (objects: Iterable<KubeObject>): string[] => [...objects].map(({ metadata }) => metadata.name)
