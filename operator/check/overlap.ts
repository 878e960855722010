import {
  type Address,
  bitsOf,
  contains,
  parseAddress,
  parsePrefix,
  type Prefix,
  tailnetRanges,
} from '../../lib/address.ts'
import { listed } from '../../lib/some.ts'
import type { Fact } from './fact.ts'
import type { Facts, Used } from './facts.ts'
import { type Finding, ok, unknown, warning } from './finding.ts'

const check = 'overlap'

/** Whether something in the cluster has addresses of the tailnet's ranges. */
export function judgeOverlap({
  nodes,
  services,
  pods,
}: Pick<Facts, 'nodes' | 'services' | 'pods'>): readonly Finding[] {
  const ofNodes = 'value' in nodes ? { value: nodes.value.flatMap(({ used }) => used) } : nodes
  const found = [ofNodes, services, pods].flatMap(judgeUsed)
  const ranges = tailnetRanges.map(({ text }) => text).join(' and ')
  return found.length > 0 ? found : [ok(check, `nothing in the cluster has addresses of the tailnet, ${ranges}`)]
}

function judgeUsed(used: Fact<readonly Used[]>): readonly Finding[] {
  if ('error' in used) return [unknown(check, used.error)]
  const inside = used.value.filter(({ text }) => overlaps(parseAddress(text) ?? parsePrefix(text)))
  if (inside.length === 0) return []
  const names = listed([...new Set(inside.map(({ by, text }) => `${by} (${text})`))])
  return [
    warning(
      check,
      `addresses of the tailnet’s ranges are used in the cluster: ${names}. Where packets are forwarded by the kernel, proxies drop what comes from there, or send what is for it into the tunnel`,
      "Give the cluster other ranges. Until then, Services with culvert/unprivileged: 'true' and Ingresses work, since nothing is forwarded by the kernel there.",
    ),
  ]
}

const overlaps = (value: Address | Prefix | undefined): boolean =>
  value !== undefined &&
  tailnetRanges.some((range) =>
    'bits' in value
      ? value.family === range.family && bitsOf(range).startsWith(bitsOf(value).slice(0, range.bits))
      : contains(range, value),
  )
