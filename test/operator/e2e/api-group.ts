import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { bundle } from '../../agent/proxy.ts'
import { trusted } from '../../lab/acme/paths.ts'
import type { KubeObject } from '../../lab/cluster/kubectl.ts'
import { buildApiServerImage, buildRecorderImage } from '../../lab/images/image.ts'
import { projectRoot } from '../../lab/paths.ts'
import { render } from '../../chart/render.ts'
import { namespace } from '../operator-process.ts'
import { examplesOf, type GroupIngressCluster } from './group-ingress-cluster.ts'

type RecorderStatus = {
  readonly conditions?: readonly { readonly type: string; readonly status: string }[]
  readonly devices?: readonly object[]
}

type Policy = {
  readonly grants: readonly {
    readonly src: readonly string[]
    readonly dst: readonly string[]
    readonly app?: object
  }[]
}

const page = 'operator-apiserver.md'

/** The policy of the page. */
function policyOf(): Policy {
  const [, json = ''] = /^```json\n([^]*?)^```$/m.exec(readFileSync(join(projectRoot, 'docs', page), 'utf8')) ?? []
  return JSON.parse(json) as Policy
}

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
  const src = nodes.flatMap(({ addresses }) => addresses)
  const grants = policyOf().grants.flatMap(({ dst, app }) =>
    app === undefined ? [] : [{ src, dst, app: app as never }],
  )
  await bed.control.putGrants(grants)
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
  const whoami = () => run(['kubectl', 'auth', 'whoami', '--output=jsonpath={.status.userInfo.username}'])
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

  test('with the page on Recorders, kubectl exec is recorded there, and only while there is a recorder', async () => {
    const { bed } = started()
    const admin = async (...argv: string[]): Promise<string> =>
      (await bed.cluster.kubectl([`--namespace=${namespace}`, ...argv])).stdout
    const recorder = async () =>
      (await bed.cluster.get<KubeObject & { status?: RecorderStatus }>('recorder', 'recorder'))?.status
    const isReady = async () =>
      (await recorder())?.conditions?.find(({ type }) => type === 'RecorderReady')?.status === 'True'
    // The bed has no volumes.
    const [{ metadata, ...rest }] = examplesOf('operator-recorder.md') as [KubeObject]
    const { annotations: _, ...named } = metadata as typeof metadata & { annotations?: unknown }
    await bed.cluster.apply({ ...rest, metadata: named })
    await expect.poll(isReady).toBe(true)
    const { addresses } = await bed.control.node('recorder-0')
    expect((await recorder())?.devices).toMatchObject([{ hostname: 'recorder-0', tailnetIPs: addresses }])

    const verbs = [{ apiGroups: [''], resources: ['pods/exec'], verbs: ['create', 'get'] }]
    const [apiGroup, name] = ['rbac.authorization.k8s.io', 'devs-exec']
    await bed.cluster.apply(
      { apiVersion: `${apiGroup}/v1`, kind: 'ClusterRole', metadata: { name }, rules: verbs },
      {
        apiVersion: `${apiGroup}/v1`,
        kind: 'ClusterRoleBinding',
        metadata: { name },
        roleRef: { apiGroup, kind: 'ClusterRole', name },
        subjects: [{ kind: 'Group', apiGroup, name: 'devs' }],
      },
    )
    const { addresses: src } = await bed.control.node('client1')
    const recorderAddrs = addresses.map((text) => withPort(parseAddress(text)!, 80))
    const impersonate = { groups: ['devs'] }
    const rule = { impersonate, recorderAddrs, enforceRecorder: true }
    await bed.control.putGrants([{ src, dst: ['*'], app: { 'tailscale.com/cap/kubernetes': [rule] } }])
    const exec = () => run(['kubectl', 'exec', '--namespace=default', 'db', '--', 'echo', 'shown to a recorder'])
    const log = () => admin('logs', 'recorder-0', '--container=recorder')
    // Rights and policies take a moment, and until then nothing is recorded, or nothing is let through.
    await expect
      .poll(async () => (await exec().catch(String)).includes('shown') && /"state":"whole"/.test(await log()))
      .toBe(true)
    const [, key = ''] = /"stage":"ended".*?"key":"([^"]+)".*"state":"whole"/.exec(await log()) ?? []
    const token = '/var/run/secrets/kubernetes.io/serviceaccount'
    const read = `console.log(fs.readFileSync('/data/recordings/${key}', 'utf8'), fs.readdirSync('${token}').length)`
    const node = ['/usr/local/bin/node', '--eval', read]
    expect(await admin('exec', 'recorder-0', '--container=recorder', '--', ...node)).toMatch(
      /shown to a recorder[^]* 0$/,
    )

    await bed.cluster.kubectl(['delete', 'recorder/recorder', '--timeout=600s'])
    expect((await bed.control.nodes()).filter(({ name: one }) => one.startsWith('recorder'))).toEqual([])
    await expect(exec()).rejects.toThrow(/no recorder takes it/)
  })

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
    const argv = ['auth', 'whoami', '--output=jsonpath={.status.userInfo.username}']
    const by = (name: string) => run(['kubectl', `--server=https://${name}.lab.ts.net`, ...argv]).catch(String)
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

  test('with fewer replicas the others go on, and with the group all of it goes', async () => {
    const { bed } = started()
    await change({ replicas: 1 })
    await expect.poll(() => serving('svc:k8s')).toEqual(['kube-0'])
    await bed.cluster.kubectl(['delete', 'proxygroup/kube', '--timeout=600s'])
    await expect(bed.control.service('svc:k8s')).rejects.toThrow()
    expect((await bed.control.nodes()).filter(({ name }) => name.startsWith('kube-'))).toEqual([])
  })
}
