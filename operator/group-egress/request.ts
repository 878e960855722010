import { UserError } from '../../kube/controller/controller.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import { quote } from '../../lib/quote.ts'
import { type EgressTarget, targetOf } from '../l3-egress/target.ts'
import { readAnnotations } from '../objects/annotations.ts'
import { invalidService } from '../objects/exposed-service.ts'
import { specOf } from '../objects/service.ts'

/** A port of a Service, which is also that of its target. */
export type RequestedPort = { readonly name: string; readonly port: number; readonly protocol: 'TCP' | 'UDP' }

/** What a Service asks of a group. */
export type EgressRequest = EgressTarget & {
  readonly group: string
  readonly ports: readonly RequestedPort[]
  /** The namespaces whose Pods may use it; undefined: all, and nothing restricts them. */
  readonly allowFrom: '*' | readonly string[] | undefined
}

/** The name of the port by which Pods find out whether a Service still routes to them. */
export const healthPortName = 'tailscale-health-check'

const invalid = (message: string, remedy: string): UserError => new UserError(invalidService, message, remedy)

/** @throws UserError `INVALIDSERVICE` for what cannot work, whatever else the cluster holds */
export function readRequest(service: KubeObject): EgressRequest {
  const asked = readAnnotations(service, invalidService)
  const spec = specOf(service)
  if (spec.type !== 'ExternalName')
    throw invalid(
      `its type is ${spec.type ?? 'ClusterIP'}, and a Service of an egress group is another name of the group’s proxies`,
      'Set spec.type to ExternalName, and spec.externalName to any name: the operator changes that.',
    )
  return {
    ...targetOf(asked),
    group: asked.proxyGroup ?? '',
    ports: readPorts(spec.ports ?? []),
    allowFrom: asked.allowFrom,
  }
}

function readPorts(ports: NonNullable<ReturnType<typeof specOf>['ports']>): readonly RequestedPort[] {
  if (ports.length === 0) throw invalid('it has no ports', 'List in spec.ports the ports of the target that are used.')
  const seen = new Set<string>()
  return ports.map(({ name = '', port, protocol = 'TCP' }) => {
    const words = `port ${port}/${protocol}`
    if (protocol !== 'TCP' && protocol !== 'UDP')
      throw invalid(`${words}: only TCP and UDP can be forwarded`, 'Remove the port.')
    if (seen.has(words)) throw invalid(`${words} is there twice`, 'Remove one.')
    if (name === healthPortName)
      throw invalid(`${words} has the name ${quote(name)}, which is that of the operator’s own port`, 'Rename it.')
    seen.add(words)
    return { name: name || 'tailscale-unnamed', port, protocol }
  })
}
