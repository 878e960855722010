import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { projectRoot } from '../lab/paths.ts'
import { mistakes, tailscaleNotices } from './mistakes.ts'
import { worksInClusters } from './works-in-clusters.ts'
import { works } from './works.ts'

const page = readFileSync(join(projectRoot, 'docs/coming-from-tailscale.md'), 'utf8')
const told = Array.from(page.matchAll(/`([^`\n]+)`/g), ([, text]) => text)

const said = [...Object.values(mistakes).flatMap(({ says }) => says), ...Object.values(tailscaleNotices)]

it.each([...new Set(said)])('the page for those who come from upstream’s image tells: %s', (line) => {
  expect(told).toContain(line)
})

it('each directory of files has something that is run', () => {
  const paths = [works, worksInClusters, mistakes, tailscaleNotices].flatMap((users) => Object.keys(users))
  const used = new Set(paths.map((path) => path.split('/')[0]))
  expect(new Set(readdirSync(join(import.meta.dirname, 'files')))).toEqual(used)
})
