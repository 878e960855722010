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
import type { Fact } from '../../lib/fact.ts'
import type { Facts, Used } from './facts.ts'
import { failed, type Finding, ok, warning } from '../../lib/finding.ts'

const check = 'overlap'

/** Whether something in the cluster has addresses of the tailnet's ranges. */
export function judgeOverlap({
  nodes,
  services,
  pods,
}: Pick<Facts, 'nodes' | 'services' | 'pods'>): readonly Finding[] {
  const ofNodes = 'value' in nodes ? { value: nodes.value.flatMap(({ used }) => used) } : nodes
  const found = [judgeUsed('Nodes', ofNodes), judgeUsed('Services', services), judgeUsed('Pods', pods)].flat()
  const ranges = tailnetRanges.map(({ text }) => text).join(' and ')
  return found.length > 0 ? found : [ok(check, `nothing in the cluster has addresses of the tailnet, ${ranges}`)]
}

function judgeUsed(kind: string, used: Fact<readonly Used[]>): readonly Finding[] {
  if ('error' in used) return [failed('warning', check, used.error, `not known for ${kind}: `)]
  const inside = used.value.filter(({ text }) => overlaps(parseAddress(text) ?? parsePrefix(text)))
  if (inside.length === 0) return []
  const names = listed([...new Set(inside.map(({ by, text }) => `${by} (${text})`))])
  const message = `the cluster uses addresses of the tailnet’s ranges: ${names}. Proxies that forward packets drop what comes from there, or send what is for it into the tunnel`
  return [warning(check, message, remedy)]
}

const remedy =
  'Give the cluster other ranges. Until then, use Ingresses, and Services with culvert/unprivileged: true: nothing is forwarded by the kernel there.'

const overlaps = (value: Address | Prefix | undefined): boolean =>
  value !== undefined &&
  tailnetRanges.some((range) =>
    'bits' in value
      ? value.family === range.family && bitsOf(range).startsWith(bitsOf(value).slice(0, range.bits))
      : contains(range, value),
  )
