import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { variables } from '../../agent/settings/variables.ts'
import { projectRoot } from '../lab/paths.ts'
import { readYaml } from '../users/readers/yaml.ts'

const folder = join(projectRoot, 'docs/examples')
const known = new Set<string>(variables.map(({ name }) => name))

type Container = { readonly image: string; readonly env: readonly { readonly name: string }[] }

const isAgent = (value: object): value is Container =>
  'env' in value && 'image' in value && String(value.image).startsWith('culvert/agent:')

/** The names that are set for the agent, however deep its container is in an object. */
const named = (value: unknown): string[] => {
  if (typeof value !== 'object' || value === null) return []
  return isAgent(value) ? value.env.map(({ name }) => name) : Object.values(value).flatMap(named)
}

test.each(readdirSync(folder).filter((name) => !['compose.yaml', 'operator.yaml'].includes(name)))(
  '%s sets only variables that the agent reads',
  (file) => {
    const names = readYaml(readFileSync(join(folder, file), 'utf8')).flatMap(named)
    expect(names).not.toEqual([])
    expect(names.filter((name) => !known.has(name))).toEqual([])
  },
)
