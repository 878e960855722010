import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { projectRoot } from '../lab/paths.ts'
import { mistakes, tailscaleNotices } from './mistakes.ts'
import { worksInClusters } from './works-in-clusters.ts'
import { works } from './works.ts'

const page = readFileSync(join(projectRoot, 'docs/coming-from-tailscale.md'), 'utf8')
const quoted = Array.from(page.matchAll(/`([^`\n]+)`/g), ([, text]) => text)

const expected = [...Object.values(mistakes).flatMap(({ messages }) => messages), ...Object.values(tailscaleNotices)]

it.each([...new Set(expected)])('docs/coming-from-tailscale.md contains: %s', (line) => {
  expect(quoted).toContain(line)
})

it('each directory of files is tested', () => {
  const paths = [works, worksInClusters, mistakes, tailscaleNotices].flatMap((users) => Object.keys(users))
  const used = new Set(paths.map((path) => path.split('/')[0]))
  expect(new Set(readdirSync(join(import.meta.dirname, 'files')))).toEqual(used)
})
