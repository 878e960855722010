import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { describe } from '../lib/errors.ts'
import { main, parse } from '../test/lab/cli/verb.ts'
import { table } from '../test/lab/cli/show.ts'
import { benchPart, runBench } from './bench.ts'
import { renderChart } from './chart.ts'
import { markdown, sectionText, tableOf } from './report.ts'
import type { Section } from './section.ts'
import { full, quick } from './size.ts'

const help = `npm run bench -- [--quick] [--unprivileged | --counting | --iptables | --operator | --apiserver | --recorder | --first-byte | --before FILE] [--commit ID]

Measures our agent beside upstream's in the same beds and run: start, repair of rules, memory, forwarded traffic, stop; L3 ingress without privilege beside kernel mode; the rules and agents of ProxyGroup egress, with iptables, too; HTTPS sites; then, as Pods of
a cluster, start, memory, requests to the API server, probes and HTTPS sites; and the sizes of the images. Installs and builds what is missing,
prints the figures and writes bench/RESULTS.md and bench/charts. Nothing is left running.

  --quick         fewer and shorter repeats, prints only
  --unprivileged  only L3 ingress without privilege; prints Markdown only
  --counting      only what counting traffic costs; prints Markdown only
  --iptables      only both agents with iptables; prints Markdown only, after about eight minutes
  --operator      only the operator with 500 Services; prints Markdown only
  --apiserver     only the API server proxy; prints Markdown only
  --recorder      only the recorder, and its web page with 100,000 recordings; prints Markdown only
  --first-byte    only how soon a new Service of an egress group works; prints Markdown only
  --before FILE   only today's agent beside an earlier bundle of it; prints Markdown only
  --commit ID     names what is measured in the results

It takes about thirty-three minutes, and needs a machine that does nothing else to mean much.`

const options = {
  quick: { type: 'boolean', default: false },
  unprivileged: { type: 'boolean', default: false },
  counting: { type: 'boolean', default: false },
  iptables: { type: 'boolean', default: false },
  operator: { type: 'boolean', default: false },
  apiserver: { type: 'boolean', default: false },
  recorder: { type: 'boolean', default: false },
  'first-byte': { type: 'boolean', default: false },
  commit: { type: 'string' },
  before: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const

const print = (section: Section): void => console.log(`\n${section.title}\n${table(tableOf(section))}`)

await main(
  'npm run bench --',
  async () => {
    const { values } = parse({ args: process.argv.slice(2), options })
    if (values.help) {
      console.log(help)
      return 0
    }
    const size = values.quick ? quick : full
    const part = (
      ['unprivileged', 'counting', 'iptables', 'operator', 'apiserver', 'recorder', 'first-byte', 'before'] as const
    ).find((name) => values[name])
    if (part !== undefined) {
      const before = resolve(values.before ?? '')
      for (const section of await benchPart(part, { size, before })) console.log(`\n${sectionText(section)}`)
      return 0
    }
    const { sections, facts } = await runBench({ size, commit: values.commit })
    console.log(`\n${table(facts)}`)
    for (const section of sections) print(section)
    if (values.quick) return 0
    const charts = join(import.meta.dirname, 'charts')
    await mkdir(charts, { recursive: true })
    for (const section of sections) {
      if (section.chart !== undefined) await writeFile(join(charts, `${section.chart}.svg`), renderChart(section))
    }
    await writeFile(join(import.meta.dirname, 'RESULTS.md'), markdown(sections, facts))
    console.log('\nWritten: bench/RESULTS.md and bench/charts')
    return 0
  },
  describe,
)
