import type { Row, Section } from './section.ts'
import { ratios, summarize, type Summary } from './stats.ts'

/** A table's head and its rows, as text. */
export function tableOf({ against, rows }: Section): string[][] {
  return [
    ['', 'ours', against, `ours ÷ ${against}`, 'better'],
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

/** The median of the ratios of what was measured side by side. */
function ratio({ ours, other }: Row): string {
  const summary = summarize(ratios(ours, other))
  return Number.isFinite(summary.median) ? spread(summary, (value) => value.toFixed(2)) : '–'
}

function spread({ median, low, high }: Summary, show: (value: number) => string): string {
  const [least, most] = [show(low), show(high)]
  return least === most ? show(median) : `${show(median)} (${least}–${most})`
}

/** Three figures that count; a whole number as it is. */
function figures(value: number): string {
  if (Number.isInteger(value)) return String(value)
  return value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2)
}

/** The text of RESULTS.md. */
export function markdown(sections: readonly Section[], facts: readonly (readonly [string, string])[]): string {
  return `# Ours beside upstream’s agent

Written by \`npm run bench\`, which measures our agent and upstream’s \`containerboot\` in the same beds ([docs/lab.md](../docs/lab.md)) and the same run: a real tailnet in network namespaces, L3 ingress in kernel mode, the same tailscaled. First both run as processes without Kubernetes, state on disk; then, where Pods are spoken of, in a cluster of one node.

Where it says services, it is ProxyGroup egress: both agents as replicas, or their rules alone in namespaces where a plain link to the peer stands for the tunnel, each service with one port and a target of its own, IPv4. Upstream’s rules are dumped from its agent with one service and with two; for more, what the second added is repeated with other names, ports and targets. That this foretells what the agent itself makes of four is checked in each run.

Where it says HTTPS, it is L7 ingress: both agents as processes, or as Pods where these are spoken of, with the same serve config, tailscaled in userspace mode, a certificate authority in the bed, IPv4.

**Read the ratios**, not the times: both sides share one machine with control server, client and backend, so times tell of this machine. The sides take turns, and who begins changes with each repeat. A cell is the median of the repeats, with the lowest and the highest; a ratio is the median of the ratios of neighbours, and has a goal where one was set.

To repeat it: \`npm run bench\`, as root, on a machine that does nothing else; about twenty minutes, once the beds’ parts are built. \`npm run bench -- --quick\` prints a rough idea in seven. Nothing is left running.

${markdownTable([['', ''], ...facts])}

Both get \`TS_DEBUG_FIREWALL_MODE=nftables\`: left alone, upstream’s takes iptables. As processes, both get a session of their own, by which the kernel shares out processors. Both forward one address family at a time, since upstream’s \`TS_DEST_IP\` holds one address.

${sections.map(sectionText).join('\n\n')}
`
}

function sectionText(section: Section): string {
  const chart = section.chart === undefined ? '' : `![${section.title}](charts/${section.chart}.svg)\n\n`
  return `## ${section.title}\n\n${chart}${markdownTable(tableOf(section))}\n\n${section.note}`
}

function markdownTable([head = [], ...rows]: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}
