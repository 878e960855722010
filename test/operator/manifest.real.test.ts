import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { KubeObject } from '../lab/cluster/kubectl.ts'
import { projectRoot } from '../lab/paths.ts'
import { testBed } from '../lab/vitest.ts'
import { readYaml } from '../users/readers/yaml.ts'

type Deployment = KubeObject & { readonly spec: { readonly template: { readonly spec: object } } }

test('the manifest is applied with its CRDs, and the operator’s own Pod keeps to the strictest level of Pod Security', async () => {
  await using bed = await testBed({ hosts: {}, cluster: { nodes: 0 } })
  const { cluster } = bed
  const file = join(projectRoot, 'docs/examples/operator.yaml')
  const files = [`--filename=${join(projectRoot, 'operator/crds')}`, `--filename=${file}`]
  await cluster.kubectl(['apply', '--server-side', '--validate=strict', ...files])
  const restricted = { 'pod-security.kubernetes.io/enforce': 'restricted' }
  const where = { name: 'operator', namespace: 'strict' }
  await cluster.apply(
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'strict', labels: restricted } },
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: where },
  )
  const objects = readYaml<KubeObject>(readFileSync(file, 'utf8'))
  const { spec } = (objects.find(({ kind }) => kind === 'Deployment') as Deployment).spec.template
  await cluster.apply({ apiVersion: 'v1', kind: 'Pod', metadata: where, spec })
  expect(await cluster.get('pod', 'operator', 'strict')).toBeDefined()
})
