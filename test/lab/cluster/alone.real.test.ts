import { expect, test } from 'vitest'
import { testBed } from '../vitest.ts'

test('an API server without a cluster has objects, permissions, and a host with a service account', async () => {
  await using bed = await testBed({ hosts: { agent: { network: 'cluster' } }, cluster: { nodes: 0 } })
  const { cluster } = bed
  const agent = bed.host('agent')
  const metadata = { name: 'agent', namespace: 'default' }
  await cluster.apply(
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
    { apiVersion: 'v1', kind: 'Secret', metadata, stringData: { key: 'value' } },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      metadata,
      rules: [{ apiGroups: [''], resources: ['secrets'], resourceNames: ['agent'], verbs: ['get'] }],
    },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'agent' },
      subjects: [{ kind: 'ServiceAccount', ...metadata }],
    },
  )
  await cluster.actAs(agent, 'default', 'agent')

  const program = `
    import { readFileSync } from 'node:fs'
    const account = (name) => readFileSync('/var/run/secrets/kubernetes.io/serviceaccount/' + name, 'utf8')
    const ask = async (name) => (await fetch(process.argv[1] + '/api/v1/namespaces/' + account('namespace') + '/secrets/' + name, {
      headers: { authorization: 'Bearer ' + account('token') },
    })).status
    console.log(await ask('agent'), await ask('other'))`
  for (const url of [cluster.url.v4, cluster.url.v6]) {
    const argv = [process.execPath, '--input-type=module', '--eval', program, url]
    const env = { NODE_EXTRA_CA_CERTS: '/var/run/secrets/kubernetes.io/serviceaccount/ca.crt' }
    // Permissions hold a moment after they are written.
    await expect.poll(async () => (await agent.exec(argv, { env })).stdout).toBe('200 403')
  }

  const api = cluster.component('kube-apiserver')
  api.signal('SIGSTOP')
  await expect(cluster.kubectl(['get', 'secrets'], { timeout: 1000 })).rejects.toThrow('took longer')
  api.signal('SIGCONT')
  await api.kill()
  await expect(cluster.get('secret', 'agent')).rejects.toThrow('ECONNREFUSED')
  await api.start()
  expect(await cluster.get('secret', 'agent')).toMatchObject({ data: { key: 'dmFsdWU=' } })
  expect(() => cluster.node('node1')).toThrow('the cluster has no node node1')
})
