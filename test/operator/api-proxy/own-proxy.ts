import { expect, test } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { publicMachineKey } from '../../../wire/machine-key.ts'
import { namespace, OperatorProcess } from '../operator-process.ts'
import { machineKeyFor } from '../played-state.ts'
import { encoded, textsOf } from '../played-pods.ts'
import type { EngineBed } from '../proxy/engine-bed.ts'

const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'kube-apiserver-auth-proxy', namespace } }
const name = 'tailscale-operator'

type Spec = {
  readonly serviceAccountName: string
  readonly initContainers: readonly { readonly image: string; readonly env: readonly { readonly value?: string }[] }[]
}

/** Tests of the proxy of the API server that the operator's settings ask for, on a bed where agents are played. */
export function testOwnProxy(bed: () => EngineBed): void {
  const proxy = async () => {
    const pod = await bed().bed.cluster.get<KubeObject & { spec: Spec }>('pod', 'apiserver-proxy-0', namespace)
    const { serviceAccountName, initContainers: [container] = [] } = pod?.spec ?? {}
    return { runsAs: serviceAccountName, image: container?.image, mode: container?.env[0]?.value }
  }
  const as = (runsAs: string, mode: string) => ({ runsAs, image: 'lab.test/api:1', mode })
  const told = async (reason: string) =>
    (await bed().bed.cluster.events()).filter(({ what }) => what.includes(`${reason}: `))
  const known = async () => (await bed().bed.control.nodes()).map((node) => `${node.name} ${node.stableId}`)
  const operate = (mode: string) => bed().operate({ APISERVER_PROXY: mode, K8S_PROXY_IMAGE: 'lab.test/api:1' })
  const secret = (of: string) => bed().bed.cluster.get<KubeObject>('secret', of, namespace)

  test('the API server proxy of the settings goes on as the node of Tailscale’s operator, is replaced with its mode, and goes', async () => {
    const at = bed()
    const privateKey = machineKeyFor(name)
    const { stableId, addresses } = await at.bed.control.createNode(name, { machineKey: publicMachineKey(privateKey)! })
    const state = {
      _machinekey: privateKey,
      _profiles: '{}',
      '_current-profile': 'profile-0001',
      // As agents are played, a profile has the node's name and addresses.
      'profile-0001': JSON.stringify({
        Config: { NodeID: stableId, UserProfile: { LoginName: `${name}.lab.ts.net` } },
        addresses,
      }),
      [`${name}.lab.ts.net.crt`]: 'pem',
    }
    const data = Object.fromEntries(Object.entries(state).map(([key, text]) => [key, encoded(text)]))
    await at.bed.cluster.apply({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'operator', namespace }, data })
    const former = await secret('operator')
    {
      await using operator = await operate('true')
      await expect.poll(() => operator.errors).toEqual([expect.stringContaining('does not have. Install the chart')])
      await expect.poll(() => told('ServiceAccountMissing')).toHaveLength(1)
      expect(await at.made()).toEqual([])
      await at.bed.cluster.apply(account)
      // Nothing tells the operator of the account.
      await at.bed.cluster.kubectl(['annotate', 'namespace', namespace, 'note=account'])
      await expect.poll(proxy).toEqual(as('kube-apiserver-auth-proxy', 'auth'))
      await at.settled()
    }
    // What the operator applies to it takes nothing of the state away.
    const { 'cap-107.hujson': config, ...texts } = textsOf((await secret('apiserver-proxy-0'))!)
    expect(JSON.parse(config ?? '')).toMatchObject({ Hostname: name })
    expect(texts).toMatchObject({ ...state, device_id: stableId })
    {
      await using operator = await operate('noauth')
      await expect.poll(proxy).toEqual(as('apiserver-proxy', 'noauth'))
      await at.settled()
      expect(await known()).toEqual([`${name} ${stableId}`])
      expect(await at.bed.control.keys()).toEqual([])
      expect(operator.errors).toEqual([])
    }
    // Whatever the settings ask for; with the machine key it may remove the device, too.
    const cleanup = await OperatorProcess.run(at.bed, ['cleanup'], { APISERVER_PROXY: 'noauth' })
    expect([await cleanup.end(), cleanup.errors]).toEqual([0, []])
    await at.nothingLeft()
    expect(await secret('operator')).toEqual(former)
    const own = [`secret/${former!.metadata.name}`, `serviceaccount/${account.metadata.name}`]
    await at.remove(...own, `--namespace=${namespace}`)
  })
}
