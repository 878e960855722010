import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { runCheck } from '../../../operator/check/command.ts'
import { gather, type Sources } from '../../../operator/check/gather.ts'
import { rulesForObjects, rulesInside, rulesOfCluster } from '../../../operator/check/rules.ts'
import type { Rule } from '../../../operator/proxy/rights.ts'
import { systemClock } from '../../../lib/clock.ts'
import { render } from '../../chart/render.ts'
import { projectRoot } from '../../lab/paths.ts'
import { readYaml } from '../../users/readers/yaml.ts'
import { read } from './a-cluster.ts'

const never = new Promise<never>(() => {})

it('waits for no fact longer than it may', async () => {
  const sources: Sources = {
    settings: async () => read,
    connect: () => never,
    tailnet: () => ({
      check: () => never,
      mintKey: async () => ({ id: 'a', key: 'secret', expires: undefined }),
      removeKey: () => never,
      autoApprovers: () => never,
      hasHttps: () => Promise.reject(new Error('refused')),
      hasMagicDns: async () => true,
    }),
  }
  const stop = new AbortController()
  const gathered = gather(sources, stop.signal)
  setImmediate(() => stop.abort())
  const { settings, magicDns: _, https, ...others } = await gathered
  expect(settings).toEqual({ value: read })
  expect(https).toHaveProperty('error')
  for (const [name, fact] of Object.entries(others)) if (name !== 'key') expect(fact, name).toHaveProperty('error')
})

type WithRules = KubeObject & { readonly rules?: readonly Rule[] }

it('reviews exactly the rights that the manifest gives', async () => {
  const plain = readYaml<WithRules>(readFileSync(join(projectRoot, 'docs/examples/operator.yaml'), 'utf8'))
  const divided = (await render('--set=operatorConfig.shards=3')) as readonly WithRules[]
  const sorted = (rules: readonly Rule[] | undefined) =>
    rules?.map(({ verbs, resources, ...rule }) => ({
      ...rule,
      verbs: verbs.toSorted(),
      resources: resources.toSorted(),
    }))
  for (const [shards, objects] of [
    [1, plain],
    [3, divided],
  ] as const) {
    const rulesOf = (kind: string) => objects.find((object) => object.kind === kind)?.rules
    expect(sorted([...rulesForObjects, ...rulesOfCluster('tailscale', shards)])).toEqual(sorted(rulesOf('ClusterRole')))
    expect(sorted(rulesInside(shards))).toEqual(sorted(rulesOf('Role')))
  }
})

it.each([
  [['--help'], 0, /^Usage: .* check/, ''],
  [['--jsn'], 2, /^$/, 'did you mean --json?'],
  [['now'], 2, /^$/, 'the first argument is not a flag'],
])('takes the arguments %j', async (args, expected, printed, complaint) => {
  const out: string[] = []
  const errors: string[] = []
  const outside = { env: {}, write: (text: string) => void errors.push(text), clock: systemClock, version: '1' }
  const code = await runCheck(args, outside, async (text) => void out.push(text))
  expect(code).toBe(expected)
  expect(out.join('')).toMatch(printed)
  expect(errors.join('')).toContain(complaint)
})
