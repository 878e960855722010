import { expect, test } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { namespace } from '../operator-process.ts'
import type { GroupBed } from './group-bed.ts'

const apiGroup = (name: string, spec: object = {}): KubeObject => ({
  apiVersion: 'tailscale.com/v1alpha1',
  kind: 'ProxyGroup',
  metadata: { name },
  spec: { type: 'kube-apiserver', replicas: 2, ...spec },
})
const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'kube-apiserver-auth-proxy', namespace } }

type Subjects = { readonly subjects?: readonly { readonly name: string }[] }
type Texts = { readonly binaryData?: Readonly<Record<string, string>> }
type PodSpec = { readonly serviceAccountName?: string }

/** Tests of groups of API server proxies on a bed on which an operator runs. */
export function testApiGroups(bed: () => GroupBed): void {
  const ready = (name: string) => bed().condition('proxygroup', name, 'ProxyGroupReady')
  const statusOf = async (name: string) =>
    (await bed().cluster.get<KubeObject & { status?: { url?: string } }>('proxygroup', name))?.status
  const isReady = (name: string, replicas: number) =>
    expect.poll(() => ready(name)).toBe(`True: ${replicas} of ${replicas} replicas are ready`)
  const configOf = async (group: string): Promise<unknown> => {
    const map = await bed().cluster.get<Texts>('configmap', `${group}-api-config`, namespace)
    return JSON.parse(Buffer.from(map?.binaryData?.['config.hujson'] ?? '', 'base64').toString())
  }
  const change = async (name: string, spec: object): Promise<void> => {
    const patch = JSON.stringify({ spec })
    await bed().cluster.kubectl(['patch', 'proxygroup', name, '--type=merge', `--patch=${patch}`])
  }
  const accountsOf = async (name: string) =>
    (await bed().cluster.get<Subjects>('rolebinding', name, namespace))?.subjects?.map((one) => one.name)
  const nodes = async () => (await bed().control.nodes()).map(({ name }) => name)

  test('a group of API server proxies waits for its account, and then has one name that all replicas advertise', async () => {
    const here = bed()
    await here.cluster.apply(apiGroup('api', { kubeAPIServer: { hostname: 'k8s' }, hostnamePrefix: 'door' }))
    await expect.poll(() => ready('api')).toMatch(/^False: in the mode auth its Pods run as the ServiceAccount/)
    expect(await here.cluster.get('statefulset', 'api', namespace)).toBeUndefined()
    await here.cluster.apply(account)
    // Nothing tells the operator of the account.
    await here.annotate('proxygroup', 'api', { note: 'there is an account now' })
    await isReady('api', 2)
    expect((await statusOf('api'))?.url).toBe('https://k8s.lab.ts.net')
    expect(await here.condition('proxygroup', 'api', 'KubeAPIServerProxyValid')).toMatch(/^True/)
    await expect.poll(() => here.advertised('api')).toEqual(['svc:k8s', 'svc:k8s'])
    expect(await here.service('svc:k8s')).toMatchObject({ ports: ['tcp:443'], tags: ['tag:k8s'] })
    expect(await nodes()).toEqual(expect.arrayContaining(['door-0', 'door-1']))
    expect(await configOf('api')).toMatchObject({ APIServerProxy: { Mode: 'auth', ServiceName: 'svc:k8s' } })
    for (const name of ['api', 'k8s.lab.ts.net'])
      expect(await accountsOf(name)).toEqual(['api', 'kube-apiserver-auth-proxy'])
  })

  test('it changes its name, its mode and the number of its replicas', async () => {
    const here = bed()
    await change('api', { kubeAPIServer: { hostname: 'cluster' } })
    await expect.poll(async () => (await statusOf('api'))?.url).toBe('https://cluster.lab.ts.net')
    await expect.poll(() => here.service('svc:k8s')).toBeUndefined()
    await expect.poll(() => here.advertised('api')).toEqual(['svc:cluster', 'svc:cluster'])
    await change('api', { replicas: 1 })
    await expect.poll(async () => (await nodes()).filter((name) => name.startsWith('door-'))).toEqual(['door-0'])
    await change('api', { kubeAPIServer: { mode: 'noauth' } })
    // What impersonates may do nothing here any more.
    for (const name of ['api', 'cluster.lab.ts.net']) await expect.poll(() => accountsOf(name)).toEqual(['api'])
    const pods = async () =>
      (await here.cluster.list<KubeObject & { spec: PodSpec }>('pods', namespace))
        .filter(({ metadata }) => metadata.name.startsWith('api-'))
        .map(({ spec }) => spec.serviceAccountName)
    await expect.poll(pods).toEqual(['api'])
    await change('api', { replicas: 2 })
    await expect.poll(() => here.advertised('api')).toEqual(['svc:cluster', 'svc:cluster'])
    await isReady('api', 2)
    expect(await configOf('api')).toMatchObject({ APIServerProxy: { Mode: 'noauth', ServiceName: 'svc:cluster' } })
  })

  test('a name that others have it does not get, and says so', async () => {
    const here = bed()
    await here.control.putService('svc:taken', { ports: ['tcp:22'] })
    await here.cluster.apply(apiGroup('late', { kubeAPIServer: { hostname: 'taken', mode: 'noauth' }, replicas: 1 }))
    const valid = (name: string) => here.condition('proxygroup', name, 'KubeAPIServerProxyValid')
    await expect
      .poll(() => valid('late'))
      .toBe('False: svc:taken exists in the tailnet, and was not made by a Kubernetes operator')
    await change('late', { kubeAPIServer: { hostname: 'cluster' } })
    await expect.poll(() => valid('late')).toBe('False: svc:cluster is that of ProxyGroup "api"')
    await expect.poll(() => here.told('ProxyGroup', 'HostnameTaken')).toHaveLength(1)
    expect(await ready('late')).toMatch(/^False/)
    expect(await here.advertised('late')).toEqual([''])
    await here.cluster.kubectl(['delete', 'proxygroup/late', '--timeout=300s'])
    expect((await here.service('svc:taken'))?.ports).toEqual(['tcp:22'])
    expect(await here.service('svc:cluster')).toBeDefined()
    await here.control.removeService('svc:taken')
  })

  test('with it goes all that was made for it, in the cluster and in the tailnet', async () => {
    const here = bed()
    await here.cluster.kubectl(['delete', 'proxygroup/api', '--timeout=300s'])
    expect(await here.service('svc:cluster')).toBeUndefined()
    expect((await nodes()).filter((name) => name.startsWith('door-'))).toEqual([])
    const kinds = 'statefulsets,pods,secrets,configmaps,serviceaccounts,roles,rolebindings,poddisruptionbudgets'
    const where = [`--namespace=${namespace}`, '--selector=tailscale.com/parent-resource=api', '--output=name']
    expect((await here.cluster.kubectl(['get', kinds, ...where])).stdout).toBe('')
    await here.cluster.kubectl(['delete', 'serviceaccount', account.metadata.name, `--namespace=${namespace}`])
  })
}
