import type { Event } from '../../kube/controller/events.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import { quote } from '../../lib/quote.ts'
import { some } from '../../lib/some.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import type { World } from '../world/world.ts'
import { called, textOf } from './annotations.ts'
import { hasTarget, isExposed } from './exposed.ts'
import { services } from './resources.ts'

/** That others ask for the same name in the tailnet; nothing if there are none. */
export function sameName(hostname: string, others: readonly KubeObject[]): readonly Event[] {
  if (others.length === 0) return []
  const whose = some(others.map(called), { separator: ', ' })
  const outcome = `the tailnet calls one of the nodes ${quote(`${hostname}-1`)}`
  const message = `the name ${quote(hostname)} is also asked for by ${whose}: ${outcome}`
  return [{ type: 'Warning', reason: 'NameNotUnique', message }]
}

/** The same of Services that ask for nodes of their own. */
export function sameNameAs(
  { metadata }: KubeObject,
  hostname: string,
  world: World,
  settings: OperatorSettings,
): readonly Event[] {
  const asksForNode = (one: KubeObject): boolean =>
    isExposed(one, settings) || (hasTarget(one) && textOf(one, 'proxyGroup') === undefined)
  const named = world.by(services, 'nodeName', hostname.toLowerCase())
  return sameName(
    hostname,
    named.filter((one) => one.metadata.uid !== metadata.uid && asksForNode(one)),
  )
}
