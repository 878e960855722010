import { expect, test } from 'vitest'
import { parseAddress, withPort } from '../../../lib/address.ts'
import type { KubeObject } from '../../lab/cluster/kubectl.ts'
import { buildRecorderImage } from '../../lab/images/image.ts'
import { namespace } from '../operator-process.ts'
import { examplesOf, type GroupIngressCluster } from './group-ingress-cluster.ts'

type RecorderStatus = {
  readonly conditions?: readonly { readonly type: string; readonly status: string }[]
  readonly devices?: readonly object[]
}

/** The test of a Recorder, where a group of API server proxies is up; `run`: on a device of somebody in `devs`. */
export function testRecorded(
  started: () => GroupIngressCluster,
  run: (argv: readonly string[]) => Promise<string>,
): void {
  test('with the page on Recorders, kubectl exec is recorded there, and only while there is a recorder', async () => {
    const { bed } = started()
    await bed.cluster.importImage((await buildRecorderImage()).archive)
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
}
