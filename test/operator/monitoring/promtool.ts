import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { parse, stringify } from 'yaml'
import { builtPrograms } from '../../lab/ready.ts'
import { run } from '../../lab/run.ts'

/** Series by name and labels, each with its values a minute apart, as promtool writes them: `3x60`, `0+1x60`. */
export type AllSeries = Readonly<Record<string, string>>

/** A query, the minute at which it is asked, and the samples that it must give. */
export type Query = {
  readonly expr: string
  readonly minute: number
  readonly samples: readonly { readonly labels: string; readonly value: number }[]
}

const promtool = async (...args: readonly string[]): Promise<void> => {
  const { promtool: directory } = await builtPrograms('monitoring')
  const { exitCode, stdout, stderr } = await run([join(directory, 'promtool'), ...args], { check: false })
  expect(exitCode, `${stdout}\n${stderr}`).toBe(0)
}

/** Whether Prometheus accepts a file of rules, and finds nothing odd in it. */
export const checkRules = (file: string): Promise<void> => promtool('check', 'rules', '--lint-fatal', file)

/** The names of the alerts in a file of rules. */
export async function alertsIn(file: string): Promise<string[]> {
  type Rules = { groups: { rules: { alert: string }[] }[] }
  const { groups } = parse(await readFile(file, 'utf8')) as Rules
  return groups.flatMap(({ rules }) => rules.map(({ alert }) => alert))
}

/** Counts the firing alerts by their names. */
export const firing = 'count by (alertname) (ALERTS{alertstate="firing"})'

/** Expects this alert to fire in the 45th minute, and no other. */
export const expectOnly = (alert: string, series: AllSeries, file: string): Promise<void> =>
  expectAnswers(
    series,
    [{ expr: firing, minute: 45, samples: [{ labels: `{alertname="${alert}"}`, value: 1 }] }],
    [file],
  )

/** Has Prometheus' own evaluation ask these queries of series, after the rules in `files`. */
export async function expectAnswers(
  all: AllSeries,
  queries: readonly Query[],
  files: readonly string[] = [],
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'culvert-promtool-'))
  const file = join(folder, 'test.yaml')
  try {
    const test = {
      interval: '1m',
      input_series: Object.entries(all).map(([series, values]) => ({ series, values })),
      promql_expr_test: queries.map(({ expr, minute, samples }) => ({
        expr,
        eval_time: `${minute}m`,
        exp_samples: samples,
      })),
    }
    await writeFile(file, stringify({ rule_files: files, evaluation_interval: '1m', tests: [test] }))
    await promtool('test', 'rules', file)
  } finally {
    await rm(folder, { recursive: true })
  }
}
