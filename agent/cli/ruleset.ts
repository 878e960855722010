import { readable } from '../../lib/quote.ts'
import { listed } from '../../lib/some.ts'
import { type CountsAnswer, countsText } from './figures.ts'

/** The fields of the answer of `/ruleset` that are rendered. */
export type RulesetAnswer = {
  readonly firewall?: 'nftables' | 'iptables' | 'memory'
  readonly device: string
  readonly mappings?: readonly MappingAnswer[]
  readonly refusesUnmapped: boolean
}

type MappingAnswer = {
  readonly from: 'tailnet' | 'cluster'
  readonly address?: string
  readonly ports?: readonly string[]
  readonly exempt: readonly string[]
  readonly to: readonly string[]
  readonly seen?: string
  readonly service?: string
  /** Absent if nothing was counted. */
  readonly traffic?: CountsAnswer
}

/**
 * Renders the answer of `/ruleset` as the flags say.
 * @throws CommandError with `--raw`, if the rules cannot be listed here.
 */
export async function renderRuleset(body: string, flags: ReadonlyMap<string, string>): Promise<string> {
  const has = (flag: string): boolean => flags.get(flag) === 'true'
  if (has('json')) return body
  const answer: RulesetAnswer = JSON.parse(body)
  if (has('raw')) {
    const { rawRules } = await import('../../netfilter/raw.ts')
    return rawRules(answer.firewall ?? 'memory')
  }
  if (has('dot')) return rulesetAsDot(answer)
  if (has('svg')) {
    const { drawn } = await import('./svg.ts')
    return drawn(rulesetAsDot(answer))
  }
  return rulesetInWords(answer)
}

/** What the rules mean, one sentence a line. */
export function rulesetInWords({ firewall, device, mappings, refusesUnmapped }: RulesetAnswer): string {
  if (firewall === undefined) return 'This agent writes no rules: tailscaled, or nothing, forwards.\n'
  const lines = [
    `Rules of ${firewall}, for new flows; packets to the tailnet leave through ${device}, or are dropped.`,
    ...(mappings === undefined ? ['No rules are in place yet but this guard: culvert status says why.'] : []),
    ...(mappings ?? []).flatMap((one) => [
      `From the ${one.from}, to ${placeOf(one)}${one.service === undefined ? '' : ` (${one.service})`}: ${leadsTo(one)}, seen as ${seenAs(one)}.`,
      ...(one.traffic === undefined ? [] : [`  ${countsText(one.traffic)}`]),
    ]),
    ...(refusesUnmapped ? ['From the tailnet, to a Tailscale Service that is not listed here: refused.'] : []),
    ...(mappings?.length === 0 ? ['Nothing is forwarded.'] : []),
  ]
  return `${lines.map(readable).join('\n')}\n`
}

function placeOf({ address, ports, exempt }: MappingAnswer): string {
  const what = address ?? 'the Pod'
  if (ports === undefined) return exempt.length === 0 ? what : `${what}, all ports but ${exempt.join(', ')}`
  return `${what}, ${listed(ports) || 'no port'}`
}

const leadsTo = ({ to }: MappingAnswer): string =>
  to.length === 1 ? `to ${to[0]}` : `to one of ${to.length}, at random: ${to.join(', ')}`

const seenAs = ({ seen }: MappingAnswer): string =>
  seen === undefined ? 'the client’s own address' : seen === 'Pod' ? 'the Pod' : seen

/** The same as a picture, in the language of Graphviz. */
export function rulesetAsDot({ mappings = [] }: RulesetAnswer): string {
  const lines = mappings.flatMap((one) => {
    const place = quoted(placeOf(one))
    const label = one.service === undefined ? '' : ` [label=${quoted(one.service)}]`
    return [
      `  ${quoted(`from the ${one.from}`)} -> ${place}${label}`,
      ...one.to.map((to) => `  ${place} -> ${quoted(to)} [label=${quoted(`as ${seenAs(one)}`)}]`),
    ]
  })
  return `digraph culvert {\n  rankdir=LR\n  node [shape=box]\n${[...new Set(lines)].join('\n')}\n}\n`
}

/**
 * A text that Graphviz shows as it is: it would take `&#1;` for the character, and copy characters into its SVG that XML
 * cannot have.
 */
function quoted(text: string): string {
  const shown = text.replaceAll(/[\p{Cc}\p{Cs}\uFFFE\uFFFF]/gu, '\uFFFD').replaceAll('&', '&amp;')
  return `"${shown.replaceAll(/["\\]/g, '\\$&')}"`
}
