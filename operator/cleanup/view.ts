import type { KubeObject } from '../../kube/controller/object.ts'
import { isJsonObject } from '../../lib/json.ts'
import { acmeSecret } from '../group/acme.ts'
import { annotations } from '../objects/annotations.ts'
import { loadBalancerClass } from '../objects/exposed.ts'

/** Annotations by which a Service asks for something. */
const asking: ReadonlySet<string> = new Set(
  (['expose', 'tailnetIp', 'oldTailnetIp', 'tailnetFqdn', 'proxyGroup'] as const).map((key) => annotations[key].name),
)

/** Kinds of which each object asks for something by being there, or holds something back. */
const askingKinds: ReadonlySet<string> = new Set([
  'Connector',
  'Recorder',
  'ProxyGroup',
  'ProxyClass',
  'DNSConfig',
  'Tailnet',
])

/**
 * An object as the operator sees it during a cleanup: Services and Ingresses, which stay, ask for nothing; everything
 * else that asks for something is being deleted. So the controllers take away all that they have made, in their order,
 * and what they have changed in Services becomes what it was.
 */
export function withoutAsking(object: KubeObject, now: Date): KubeObject {
  const { kind, metadata } = object
  if (kind === 'Service' || kind === 'Ingress') return { ...object, metadata: mute(metadata), spec: unclassed(object) }
  if (!askingKinds.has(kind) && !(kind === 'Secret' && metadata.name === acmeSecret)) return object
  return { ...object, metadata: { ...metadata, deletionTimestamp: metadata.deletionTimestamp ?? now.toISOString() } }
}

function mute(metadata: KubeObject['metadata']): KubeObject['metadata'] {
  if (metadata.annotations === undefined) return metadata
  const kept = Object.entries(metadata.annotations).filter(([name]) => !asking.has(name))
  return { ...metadata, annotations: Object.fromEntries(kept) }
}

function unclassed({ kind, spec }: KubeObject): unknown {
  if (!isJsonObject(spec)) return spec
  if (kind === 'Ingress') return { ...spec, ingressClassName: undefined }
  return spec['loadBalancerClass'] === loadBalancerClass ? { ...spec, loadBalancerClass: 'none' } : spec
}
