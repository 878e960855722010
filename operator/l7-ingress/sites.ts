import type { Event } from '../../kube/controller/events.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import { type Annotations, readAnnotations } from '../objects/annotations.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import type { World } from '../world/world.ts'
import { originOf } from './backends.ts'
import { type Handlers, handlersOf } from './handlers.ts'
import { invalid, webPorts } from './ingress.ts'

/** What an Ingress serves itself. */
export type Sites = {
  readonly annotations: Annotations
  readonly handlers: Handlers
  /** The TCP ports of the node that are for HTTP, whether there is a handler or not. */
  readonly ports: readonly number[]
  readonly events: readonly Event[]
}

/**
 * `hosts`: as those of `handlersOf`.
 * @throws UserError for annotations that are malformed
 */
export function sitesOf(
  ingress: KubeObject,
  world: World,
  { clusterDomain }: Pick<OperatorSettings, 'clusterDomain'>,
  hosts?: readonly string[],
): Sites {
  const annotations = readAnnotations(ingress, invalid)
  const { namespace = '' } = ingress.metadata
  const place = { namespace, clusterDomain, protocols: annotations.backendProtocol }
  return {
    annotations,
    ports: webPorts(ingress),
    ...handlersOf(ingress, (backend) => originOf(backend, world, place), hosts),
  }
}
