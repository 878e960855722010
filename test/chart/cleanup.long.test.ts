import { expect, test } from 'vitest'
import { ask } from '../lab/bed.ts'
import { backendObjects, proxyNamespace } from '../lab/cluster/proxy.ts'
import { chart } from '../lab/helm.ts'
import { testBed } from '../lab/vitest.ts'
import { buildImages, installOperator } from '../operator/e2e/install.ts'

test('somebody installs the chart, has traffic by one annotation, `helm test` finds all well, and `helm uninstall` leaves nothing', async () => {
  const images = await buildImages()
  const client = { network: 'wan', tailscaled: true } as const
  await using bed = await testBed({ hosts: { client }, cluster: { nodes: 1 } })
  const { cluster, control } = bed
  await installOperator(bed, images)
  await cluster.apply(...backendObjects('backend'))
  await cluster.kubectl(['annotate', 'service', 'backend', 'tailscale.com/expose=true'])
  await cluster.wait('service/backend', 'TailscaleProxyReady')
  const reached = () =>
    ask(bed.host('client'), { to: 'default-backend', protocol: 'tcp', patience: 5000 }).catch(String)
  await expect.poll(reached).toMatchObject({ host: 'backend' })

  const release = ['operator', `--namespace=${proxyNamespace}`]
  const { stdout: checked } = await cluster.helm(['test', ...release, '--logs'])
  expect(checked).toContain('ok rights: ')
  expect(checked).not.toMatch(/^error /m)
  await cluster.helm([
    'upgrade',
    release[0]!,
    chart,
    release[1]!,
    '--wait',
    '--reuse-values',
    '--set=cleanup.enabled=true,keepCRDs=false',
  ])
  await cluster.helm(['uninstall', ...release])
  expect((await control.nodes()).map(({ name }) => name)).toEqual(['client'])
  const kinds = 'secrets,statefulsets,deployments,jobs,roles,rolebindings,leases,serviceaccounts,services'
  const left = await cluster.list(kinds, proxyNamespace)
  expect(left.map(({ kind, metadata }) => `${kind}/${metadata.name}`)).toEqual(['ServiceAccount/default'])
  expect((await cluster.get('service', 'backend'))?.metadata['finalizers']).toBeUndefined()
  // Helm does not wait until the API server has taken the last of them away.
  const definitions = async () => (await cluster.list('customresourcedefinitions')).map(({ metadata }) => metadata.name)
  await expect.poll(definitions).toEqual([])
})
