import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KubeObject } from '../../lab/cluster/kubectl.ts'
import type { CapMap } from '../../lab/control-types.ts'
import { projectRoot } from '../../lab/paths.ts'
import { readYaml } from '../../users/readers/yaml.ts'

/** The examples in a language that a page of docs/ has. */
const blocksOf = (page: string, language: 'yaml' | 'json'): string[] =>
  [...readFileSync(join(projectRoot, 'docs', page), 'utf8').matchAll(/^```(\w+)\n([^]*?)^```$/gm)].flatMap(
    ([, of, text = '']) => (of === language ? [text] : []),
  )

/** The objects of a page of docs/, in the order of its examples. */
export const examplesOf = (page: string): KubeObject[] =>
  blocksOf(page, 'yaml').flatMap((yaml) => readYaml<KubeObject>(yaml))

type Policy = {
  readonly grants: readonly { readonly dst: readonly string[]; readonly app?: CapMap }[]
}

/** The policies of the tailnet that a page of docs/ has, in its order. */
export const policiesOf = (page: string): Policy[] => blocksOf(page, 'json').map((json) => JSON.parse(json) as Policy)

/** What each of them grants to users of applications, for whoever comes from these addresses. */
export const grantsOf = (page: string, src: readonly string[]) =>
  policiesOf(page).map(({ grants }) => grants.flatMap(({ dst, app }) => (app === undefined ? [] : [{ src, dst, app }])))
