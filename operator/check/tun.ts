import * as z from 'zod/mini'
import type { KubeObject } from '../../kube/controller/object.ts'
import { optional } from '../../lib/json.ts'
import { listed } from '../../lib/some.ts'
import { isReady } from '../proxy/state.ts'
import type { Facts, Tun } from './facts.ts'
import { type Finding, ok, unknown, warning } from '../../lib/finding.ts'

const device = '/dev/net/tun'

const podSchema = z.object({
  nodeName: optional(z.string()),
  volumes: optional(z.array(z.object({ hostPath: optional(z.object({ path: z.string() })) }))),
})

/** What a Pod of a proxy tells: that it runs with the device. */
export function tunOfPod(pod: KubeObject): readonly Tun[] {
  const { nodeName, volumes } = z.safeParse(podSchema, pod['spec']).data ?? {}
  const uses = volumes?.some(({ hostPath }) => hostPath?.path === device) === true
  return nodeName != null && uses && isReady(pod) ? [{ node: nodeName, isThere: true }] : []
}

const eventSchema = z.object({ message: z.string(), source: z.object({ host: z.string() }) })

/** What an Event of kubelet tells: that a Pod did not get the device. */
export function tunOfEvent(event: KubeObject): readonly Tun[] {
  const { message, source } = z.safeParse(eventSchema, event).data ?? {}
  const isMissing = message !== undefined && /volume "tun" : hostPath type check failed/.test(message)
  return isMissing && source !== undefined ? [{ node: source.host, isThere: false }] : []
}

const check = 'tun'

/** Which nodes have the device that proxies need which forward packets: only what ran there can tell. */
export function judgeTun({ tuns, nodes }: Pick<Facts, 'tuns' | 'nodes'>): readonly Finding[] {
  if ('error' in tuns) return [unknown(check, tuns.error)]
  const there = new Set(tuns.value.flatMap(({ node, isThere }) => (isThere ? [node] : [])))
  const missing = new Set(tuns.value.flatMap(({ node, isThere }) => (isThere || there.has(node) ? [] : [node])))
  if (missing.size > 0) {
    const text = `${device} is missing on ${listed([...missing])}, where proxies that forward packets do not start`
    const remedy =
      'Load the kernel module tun there, or keep these proxies away by nodeSelector or affinity in a ProxyClass.'
    return [warning(check, text, remedy)]
  }
  const all = 'value' in nodes ? ` of ${nodes.value.length}` : ''
  return [ok(check, `proxies use ${device} on ${there.size}${all} nodes; nothing is known of others`)]
}
