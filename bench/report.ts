import type { Row, Section } from './section.ts'
import { ratios, summarize, type Summary } from './stats.ts'

/** A table's head and its rows, as text. */
export function tableOf({ ours: us = 'ours', against, rows }: Section): string[][] {
  return [
    ['', us, against, `${us} ÷ ${against}`, 'better'],
    ...rows.map((row) => {
      const [ours, other] = [summarize(row.ours), summarize(row.other)]
      return [row.what, withUnit(ours, row.unit), withUnit(other, row.unit), ratio(row), better(row)]
    }),
  ]
}

function withUnit(summary: Summary, unit: string): string {
  return Number.isFinite(summary.median) ? `${spread(summary, figures)} ${unit}` : '–'
}

const better = ({ better: which, goal }: Row): string =>
  goal === undefined ? which : `${which}; goal ${which === 'less' ? '≤' : '≥'} ${goal}`

/** The median of the ratios of measurements made side by side. */
function ratio({ ours, other }: Row): string {
  const summary = summarize(ratios(ours, other))
  return Number.isFinite(summary.median) ? spread(summary, (value) => value.toFixed(2)) : '–'
}

function spread({ median, low, high }: Summary, show: (value: number) => string): string {
  const [least, most] = [show(low), show(high)]
  return least === most ? show(median) : `${show(median)} (${least}–${most})`
}

/** Three significant digits; a whole number as it is. */
function figures(value: number): string {
  if (Number.isInteger(value)) return String(value)
  return value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2)
}

/** The text of RESULTS.md. */
export function markdown(sections: readonly Section[], facts: readonly (readonly [string, string])[]): string {
  return `# Benchmarks: this agent and upstream’s

Written by \`npm run bench\`. It measures this project’s agent (“ours”) and upstream’s \`containerboot\` in the same beds, which are test networks made of Linux namespaces ([docs/lab.md](../docs/lab.md)), and in the same run: a real tailnet, L3 ingress in kernel mode, the same tailscaled. First both run as processes without Kubernetes, with their state on disk; sections about Pods use a cluster of one node.

Sections about services measure ProxyGroup egress over IPv4, with one port and one target per service: either both agents as replicas, or only their rules, in namespaces where a plain link to the peer replaces the tunnel. Upstream’s rules are dumped from its agent with one service and with two; for more services, the difference is repeated with other names, ports and targets. Each run checks that this gives the rules that the agent itself makes for four services.

Sections about HTTPS measure L7 ingress over IPv4, with the same serve config, tailscaled in userspace mode and a certificate authority in the bed.

**Read the ratios**, not the times: both sides share one machine with control server, client and backend, so the times depend on that machine. The sides are measured alternately, and the order changes with each repeat. A cell has the median of the repeats, with the minimum and maximum in parentheses; a ratio is the median of the ratios of neighbouring measurements. Some ratios have a goal.

To repeat it, run \`npm run bench\` as root on an otherwise idle machine. It takes about thirty-three minutes once the beds’ parts are built; \`npm run bench -- --quick\` prints rough figures in eleven. Nothing is left running.

${markdownTable([['', ''], ...facts])}

Both run with \`TS_DEBUG_FIREWALL_MODE=nftables\`, since upstream’s agent chooses iptables by default, except in sections about iptables. There both use \`iptables-nft\`, and their rules for each number of services are those that they made themselves. As processes, each runs in a session of its own, because the kernel divides CPU time by session. Both forward one address family at a time, since upstream’s \`TS_DEST_IP\` takes one address.

${sections.map(sectionText).join('\n\n')}
`
}

/** A section as in RESULTS.md. */
export function sectionText(section: Section): string {
  const chart = section.chart === undefined ? '' : `![${section.title}](charts/${section.chart}.svg)\n\n`
  return `## ${section.title}\n\n${chart}${markdownTable(tableOf(section))}\n\n${section.note}`
}

function markdownTable([head = [], ...rows]: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}
