import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readOperatorSettings } from '../../operator/settings/read.ts'
import { projectRoot } from '../lab/paths.ts'
import { readYaml } from '../users/readers/yaml.ts'

type Deployment = {
  readonly kind: string
  readonly spec: {
    readonly template: { readonly spec: { readonly containers: readonly [{ readonly env: readonly Variable[] }] } }
  }
}
type Variable = { readonly name: string; readonly value: string }

test('the manifest of the operator has valid settings', () => {
  const objects = readYaml(readFileSync(join(projectRoot, 'docs/examples/operator.yaml'), 'utf8')) as Deployment[]
  const { env } = objects.find(({ kind }) => kind === 'Deployment')!.spec.template.spec.containers[0]
  const given = { resolvConf: '', podNamespace: 'tailscale', version: '0.1.0' }
  const read = readOperatorSettings({ env: Object.fromEntries(env.map(({ name, value }) => [name, value])), ...given })
  expect(read.warnings).toEqual([])
  expect(read.settings).toMatchObject({ namespace: 'tailscale', agent: 'culvert', proxyTags: ['tag:k8s'] })
  expect(read.process.credentials).toMatchObject({ type: 'oauth-client' })
})
