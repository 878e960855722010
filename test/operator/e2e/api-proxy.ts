import { beforeAll, describe, expect, test } from 'vitest'
import { bundle } from '../../agent/proxy.ts'
import { trusted } from '../../lab/acme/paths.ts'
import { buildApiServerImage } from '../../lab/images/image.ts'
import { namespace } from '../operator-process.ts'
import { type GroupIngressCluster } from './group-ingress-cluster.ts'
import { examplesOf, grantsOf } from './pages.ts'
import { authAccount } from './install.ts'

const page = 'operator-apiserver.md'

/**
 * Tests of the API server proxy that the operator's settings ask for, through the real tailnet. `isLong`: also without
 * impersonation.
 */
export function testApiProxy(started: () => GroupIngressCluster, isLong = false): void {
  describe('the API server proxy of the settings', () => inCluster(started, isLong))
}

function inCluster(started: () => GroupIngressCluster, isLong: boolean): void {
  beforeAll(async () => {
    await started().bed.cluster.importImage((await buildApiServerImage()).archive)
  })
  const name = 'tailscale-operator'
  const secret = 'apiserver-proxy-0'
  const env = { KUBECONFIG: '/tmp/own', HOME: '/tmp', SSL_CERT_FILE: trusted }
  /** On a device of somebody in the group `devs`; gives what it prints, and fails as it does. */
  const run = async (...argv: readonly string[]): Promise<string> =>
    (await started().bed.host('client1').exec(argv, { env })).stdout
  const whoami = (...more: readonly string[]) =>
    run('kubectl', 'auth', 'whoami', '--output=jsonpath={.status.userInfo.username}', ...more)
  const device = async () => (await started().bed.control.node(name)).stableId
  let first: string

  test('with the page on it, kubectl shows Pods to somebody as themselves', async () => {
    const { cluster, control } = started().bed
    const { addresses, user } = await control.node('client1')
    // The page's policy for one proxy is its last one.
    await control.putGrants(grantsOf(page, addresses).at(-1) ?? [])
    const bindings = examplesOf(page).filter(({ kind }) => kind === 'ClusterRoleBinding')
    await cluster.apply(...(await authAccount()), ...bindings)
    await started().restart({ APISERVER_PROXY: 'true' })
    await started().rolledOut('apiserver-proxy')
    first = await device()
    await run(process.execPath, bundle, 'kubeconfig', name, '--socket=/run/tailscale/tailscaled.sock')
    await expect.poll(() => whoami().catch(String)).toBe(user)
    expect(await run('kubectl', 'get', 'pods', '--namespace=default', '--output=name')).toContain('pod/')
    await expect(run('kubectl', 'get', 'secrets', '--namespace=default')).rejects.toThrow(/cannot list resource/)
  })

  if (isLong) {
    test('without impersonation it is the same device, and everybody is who their own credentials say', async () => {
      await started().restart({ APISERVER_PROXY: 'noauth' })
      const token = (await started().bed.cluster.token(namespace, 'operator')).trim()
      const asItself = () => whoami(`--token=${token}`).catch(String)
      await expect.poll(asItself).toBe(`system:serviceaccount:${namespace}:operator`)
      await started().rolledOut('apiserver-proxy')
      expect(await device()).toBe(first)
      // As itself, it has asked for no other Secret than that of its state, and nothing else was refused.
      const asked = await started().bed.cluster.audited(namespace, 'apiserver-proxy')
      const isOwn = ({ resource, name: of }: (typeof asked)[number]) => resource === 'secrets' && of === secret
      expect(asked.filter((one) => isOwn(one) && one.code === 200)).not.toEqual([])
      expect(asked.filter((one) => !isOwn(one) && (one.resource === 'secrets' || one.code === 403))).toEqual([])
      expect(await started().bed.acme.orders(`${name}.lab.ts.net`)).toHaveLength(1)
    })
  }

  test('without the setting, all of it goes', async () => {
    await started().restart({})
    const left = async () => (await started().made()).filter((one) => one.includes('/apiserver-proxy'))
    await expect.poll(left).toEqual([])
    expect((await started().bed.control.nodes()).map((node) => node.name)).not.toContain(name)
  })
}
