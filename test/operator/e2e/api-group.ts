import { describe, expect, test } from 'vitest'
import { bundle } from '../../agent/proxy.ts'
import { trusted } from '../../lab/acme/paths.ts'
import type { KubeObject } from '../../lab/cluster/kubectl.ts'
import { buildApiServerImage } from '../../lab/images/image.ts'
import { render } from '../../chart/render.ts'
import { namespace } from '../operator-process.ts'
import { testRecorded } from './recorded.ts'
import { type GroupIngressCluster } from './group-ingress-cluster.ts'
import { examplesOf, grantsOf } from './pages.ts'

const page = 'operator-apiserver.md'

/** Those of the page's policy for a group, its first one. */
const granted = (src: readonly string[]) => grantsOf(page, src)[0] ?? []

/** Tests of a group of API server proxies, through the real tailnet. */
export function testApiGroup(started: () => GroupIngressCluster): void {
  describe('a group of API server proxies', () => inCluster(started))
}

/** The environment of kubectl on the clients' devices. */
export const kubectlEnv = { KUBECONFIG: '/tmp/kube', HOME: '/tmp', SSL_CERT_FILE: trusted }

/** The replicas that serve the group, as the tailnet has it. */
export const servingApi = async ({ bed }: GroupIngressCluster, service = 'svc:kube'): Promise<readonly string[]> =>
  (await bed.control.service(service)).hosts
    .flatMap(({ node, state }) => (state === 'serving' ? [node] : []))
    .toSorted()

/** The URL that the group shows. */
const urlIn = async ({ bed }: GroupIngressCluster): Promise<string | undefined> =>
  (await bed.cluster.get<KubeObject & { status?: { url?: string } }>('proxygroup', 'kube'))?.status?.url

/** Makes the group of the page, with its policy and all else that it needs, for all clients. */
export async function makeApiGroup(here: GroupIngressCluster, replicas = 2): Promise<void> {
  const { bed } = here
  await bed.cluster.importImage((await buildApiServerImage()).archive)
  const nodes = await Promise.all(here.clients.map(({ name }) => bed.control.node(name)))
  await bed.control.putGrants(granted(nodes.flatMap(({ addresses }) => addresses)))
  const account = (await render('--set-string=apiServerProxyConfig.allowImpersonation=true')).filter(
    ({ metadata: { name = '' } }) => ['kube-apiserver-auth-proxy', 'tailscale-auth-proxy'].includes(name),
  )
  expect(account).toHaveLength(3)
  const [group, ...others] = examplesOf(page)
  await bed.cluster.apply(...account, { ...group!, spec: { ...(group!['spec'] as object), replicas } }, ...others)
  await expect.poll(() => urlIn(here)).toBe('https://kube.lab.ts.net')
  const command = [process.execPath, bundle, 'kubeconfig', 'kube', '--socket=/run/tailscale/tailscaled.sock']
  for (const client of here.clients) await client.exec([...command, '--set-current'], { env: kubectlEnv })
}

function inCluster(started: () => GroupIngressCluster): void {
  /** On a device of somebody in the group `devs`; gives what it prints, and fails as it does. */
  const run = async (argv: readonly string[]): Promise<string> =>
    (await started().bed.host('client1').exec(argv, { env: kubectlEnv })).stdout
  const whoami = (name = 'kube') =>
    run([
      'kubectl',
      `--server=https://${name}.lab.ts.net`,
      'auth',
      'whoami',
      '--output=jsonpath={.status.userInfo.username}',
    ])
  const serving = (service?: string) => servingApi(started(), service)

  test('with the page on API server groups, kubectl shows Pods to somebody as themselves', async () => {
    const { bed } = started()
    const { user } = await bed.control.node('client1')
    await makeApiGroup(started())
    await expect.poll(() => whoami().catch(String)).toBe(user)
    expect(await run(['kubectl', 'get', 'pods', '--namespace=default', '--output=name'])).toContain('pod/')
    await expect(run(['kubectl', 'get', 'secrets', '--namespace=default'])).rejects.toThrow(/cannot list resource/)
    await expect.poll(() => serving()).toEqual(['kube-0', 'kube-1'])
    await started().rolledOut('kube')
    expect(await bed.acme.orders('kube.lab.ts.net')).toHaveLength(1)
  })

  testRecorded(started, run)

  test('while a replica of two is killed, kubectl goes on through the other', async () => {
    const { bed } = started()
    await bed.cluster.kubectl(['delete', 'pod', 'kube-0', `--namespace=${namespace}`, '--grace-period=0', '--force'])
    // A client that was with it comes to the other as soon as the tailnet knows.
    await expect.poll(() => whoami().catch(String)).toContain('@')
    await started().rolledOut('kube')
    await expect.poll(() => serving()).toEqual(['kube-0', 'kube-1'])
    expect(await whoami()).toContain('@')
    expect(await bed.acme.orders('kube.lab.ts.net')).toHaveLength(1)
  })

  const change = (spec: object) =>
    started().bed.cluster.kubectl([
      'patch',
      'proxygroup',
      'kube',
      '--type=merge',
      `--patch=${JSON.stringify({ spec })}`,
    ])

  test('with another name, kubectl goes on by the old one until it can by the new one', async () => {
    const { bed } = started()
    const { user } = await bed.control.node('client1')
    const by = (name: string) => whoami(name).catch(String)
    await change({ kubeAPIServer: { hostname: 'k8s' } })
    for (let next = ''; next !== user;) {
      const old = await by('kube')
      next = await by('k8s')
      if (next !== user) expect(old).toBe(user)
    }
    await expect.poll(() => urlIn(started())).toBe('https://k8s.lab.ts.net')
    await expect.poll(() => serving('svc:k8s')).toEqual(['kube-0', 'kube-1'])
    await expect.poll(() => serving().catch(() => 'gone')).toBe('gone')
  })

  test('what is wrong in the policy is an Event of the Pod that has met it', async () => {
    const { cluster, control } = started().bed
    const { addresses } = await control.node('client1')
    const app = { 'tailscale.com/cap/kubernetes': [{ impersonate: 'anybody' }] }
    await control.putGrants([{ src: addresses, dst: ['*'], app }])
    const reasons = async () => {
      await whoami('k8s').catch(() => {})
      const events = await cluster.list<{ reason: string; involvedObject: { name: string } }>('events', namespace)
      return events.flatMap(({ reason, involvedObject: { name } }) => (/^kube-\d$/.test(name) ? [reason] : []))
    }
    await expect.poll(reasons).toContain('RefusedByPolicy')
    await control.putGrants(granted(addresses))
  })

  test('with fewer replicas and another prefix, those that stay are renamed and go on, and with the group all of it goes', async () => {
    const { bed } = started()
    const running = async () => (await bed.cluster.get('pod', 'kube-0', namespace))?.metadata['uid']
    const before = { pod: await running(), device: (await bed.control.node('kube-0')).stableId }
    await change({ replicas: 1, hostnamePrefix: 'door' })
    await expect.poll(() => serving('svc:k8s')).toEqual(['door-0'])
    await expect.poll(() => whoami('k8s').catch(String)).toContain('@')
    expect({ pod: await running(), device: (await bed.control.node('door-0')).stableId }).toEqual(before)
    await bed.cluster.kubectl(['delete', 'proxygroup/kube', '--timeout=600s'])
    await expect(bed.control.service('svc:k8s')).rejects.toThrow()
    expect((await bed.control.nodes()).filter(({ name }) => /^(kube|door)-/.test(name))).toEqual([])
  })
}
