import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from 'vitest'
import { acmeEnv } from '../../lab/acme/start.ts'
import { trusted } from '../../lab/acme/paths.ts'
import { type Bed, startBed } from '../../lab/bed.ts'
import { apiServerReference, buildApiServerImage, buildImage, type Image } from '../../lab/images/image.ts'
import { printLogsOnFailure } from '../../lab/vitest.ts'
import { authAccount, authorityClass } from '../e2e/install.ts'
import { namespace, OperatorProcess } from '../operator-process.ts'
import { upstreamReleases, UpstreamOperator } from '../upstream-operator.ts'
import { installInPlace, removeDeployment } from './in-place.ts'

const hosts = { client: { network: 'wan', tailscaled: true }, operator: { network: 'cluster' } } as const
const name = 'tailscale-operator'

describe.each(upstreamReleases.flatMap((release) => (['noauth', 'true'] as const).map((mode) => ({ release, mode }))))(
  'the proxy of Tailscale’s operator $release, mode $mode',
  ({ release, mode }) => {
    let bed: Bed<keyof typeof hosts>
    let agent: Image
    let upstream: UpstreamOperator
    let operator: OperatorProcess | undefined
    /** What the node is that kubeconfigs point to. */
    let first: Awaited<ReturnType<typeof node>>
    beforeAll(async () => {
      agent = await buildImage()
      const images = [agent, await buildApiServerImage()]
      bed = await startBed({ hosts, acme: true, cluster: { nodes: 1 } })
      await Promise.all(images.map(({ archive }) => bed.cluster.importImage(archive)))
      // Its proxy shows the certificate that it gets itself.
      const its = { APISERVER_PROXY: mode, ...acmeEnv }
      upstream = await UpstreamOperator.install(bed, bed.host('operator'), release, its, {
        apiServerProxyConfig: { mode },
      })
    })
    afterAll(async () => {
      await operator?.stop()
      await bed.down()
    })
    beforeEach(() => {
      printLogsOnFailure(bed)
      onTestFailed(() => console.error([...(operator?.logged ?? []), 'upstream:', ...upstream.log].join('\n')))
    })

    const node = async () => {
      const { stableId, nodeKey, addresses } = await bed.control.node(name)
      return { stableId, nodeKey, addresses }
    }
    const orders = () => bed.acme.orders(`${name}.lab.ts.net`)

    const account = `system:serviceaccount:${namespace}:operator`
    /** Whether the operator itself may act as anybody: Tailscale's has to, where it impersonates. */
    const mayImpersonate = (): Promise<boolean> =>
      bed.cluster.kubectl(['auth', 'can-i', 'impersonate', 'users', `--as=${account}`]).then(
        () => true,
        () => false,
      )

    /** Waits until kubectl of a device is answered through the tailnet; gives the seconds since `begun`. */
    async function answered(begun = performance.now()): Promise<string> {
      const token = (await bed.cluster.token(namespace, 'operator')).trim()
      const who = mode === 'true' ? (await bed.control.node('client')).user : account
      const argv = ['kubectl', `--server=https://${name}.lab.ts.net`, `--token=${token}`, '--request-timeout=5s']
      const env = { HOME: '/tmp', SSL_CERT_FILE: trusted }
      const whoami = [...argv, 'auth', 'whoami', '--output=jsonpath={.status.userInfo.username}']
      const once = async () => (await bed.host('client').exec(whoami, { env })).stdout
      await expect.poll(() => once().catch(String)).toBe(who)
      return ((performance.now() - begun) / 1000).toFixed(1)
    }

    test('kubectl goes through it', async () => {
      await upstream.start()
      await answered()
      first = await node()
      expect(await orders()).toHaveLength(1)
      expect(await mayImpersonate()).toBe(mode === 'true')
    })

    test('with Culvert’s operator in its place, it goes through a Pod that is the same node, with the same certificate', async () => {
      const begun = performance.now()
      await upstream.stop()
      await installInPlace(bed)
      // Tailscale's chart has given the right to impersonate to the operator, too.
      if (mode === 'true') await bed.cluster.apply(...(await authAccount()))
      await bed.cluster.apply(...(await authorityClass(bed, 'lab')))
      operator = await OperatorProcess.start(bed, {
        PROXY_IMAGE: agent.reference,
        K8S_PROXY_IMAGE: apiServerReference,
        PROXY_DEFAULT_CLASS: 'lab',
        APISERVER_PROXY: mode,
      })
      console.info(`to Culvert: ${await answered(begun)} s`)
      expect(await node()).toEqual(first)
      expect(await orders()).toHaveLength(1)
      expect((await bed.control.nodes()).map((one) => one.name).toSorted()).toEqual(['client', name])
      expect(await mayImpersonate()).toBe(false)
      await operator.stop()
    })

    test('and so it does when it is back', async () => {
      const begun = performance.now()
      await removeDeployment(bed)
      await upstream.reinstall()
      await upstream.start()
      console.info(`back: ${await answered(begun)} s`)
      expect(await node()).toEqual(first)
      expect(await orders()).toHaveLength(1)
    })
  },
)
