import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { projectRoot } from '../../lab/paths.ts'
import { type AllSeries, expectAnswers } from './promtool.ts'

type Dashboard = { readonly panels: readonly { readonly targets: readonly { readonly expr: string }[] }[] }

/** Checks that each query of a dashboard finds something in metrics that were scraped, one sample a line. */
export async function expectDashboardShows(scraped: readonly string[], name = 'dashboard.json'): Promise<void> {
  const text = await readFile(join(projectRoot, 'charts/culvert/files', name), 'utf8')
  const { panels } = JSON.parse(text) as Dashboard
  const queries = panels.flatMap(({ targets }) => targets.map(({ expr }) => filledIn(expr)))
  await expectAnswers(
    seriesOf(scraped),
    queries.map((query) => ({
      expr: `count(${query}) > bool 0`,
      minute: 30,
      samples: [{ labels: '{}', value: 1 }],
    })),
  )
}

/** With what Grafana puts in place of its variables. */
const filledIn = (expr: string): string => expr.replaceAll('$__rate_interval', '5m').replaceAll(/"\$\w+"/g, '".*"')

/** Series that grow each minute by what was scraped, in whole numbers: promtool reads no exponents. */
const seriesOf = (scraped: readonly string[]): AllSeries =>
  Object.fromEntries(
    scraped
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => {
        const at = line.lastIndexOf(' ')
        return [line.slice(0, at), `0+${Math.ceil(Number(line.slice(at + 1)))}x60`]
      }),
  )
