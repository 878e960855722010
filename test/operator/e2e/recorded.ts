import { writeFile } from 'node:fs/promises'
import { beforeAll, describe, expect, test } from 'vitest'
import { parseAddress, withPort } from '../../../lib/address.ts'
import type { KubeObject } from '../../lab/cluster/kubectl.ts'
import type { CapMap } from '../../lab/control-types.ts'
import { buildRecorderImage } from '../../lab/images/image.ts'
import { startHostS3 } from '../../recorder/s3/host-s3.ts'
import { accessKeyId, secretAccessKey } from '../../recorder/s3/keys.ts'
import { namespace } from '../operator-process.ts'
import { type GroupIngressCluster, sshPolicyFile } from './group-ingress-cluster.ts'
import { examplesOf, policiesOf } from './pages.ts'
import { trustAuthority } from './install.ts'
import { RecorderPage } from './recorder-page.ts'

type RecorderStatus = {
  readonly conditions?: readonly { readonly type: string; readonly status: string }[]
  readonly devices?: readonly object[]
}

const page = 'operator-recorder.md'
/** The Recorder of the docs page that has a volume, and the one with S3. */
const [onVolume, inS3] = examplesOf(page) as [KubeObject, KubeObject]
/** What its policy grants. */
const granted = policiesOf(page)[0]!.grants.flatMap(({ app }) => (app === undefined ? [] : [app]))
const ofKubernetes = 'tailscale.com/cap/kubernetes'

/** A volume of a node as somebody makes one who has no provisioner. */
const volumeOn = (node: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name: `of-${node}` },
  spec: {
    capacity: { storage: '20Gi' },
    accessModes: ['ReadWriteOnce'],
    local: { path: '/tmp/volume' },
    nodeAffinity: {
      required: {
        nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node] }] }],
      },
    },
  },
})

/**
 * A command on a terminal of its own, on which nobody types anything; it prints what that has shown, but for a line feed
 * at its end. At the end of its input, `script` would send something.
 */
const onTerminal = (command: string): readonly string[] => [
  'sh',
  '-c',
  'mkfifo /tmp/typed.$$ && exec script --quiet --return --command "$0" /dev/null <>/tmp/typed.$$',
  command,
]

/** Tests of Recorders, where a group of API server proxies is up; `run`: on a device of somebody in `devs`. */
export function testRecorded(
  started: () => GroupIngressCluster,
  run: (argv: readonly string[]) => Promise<string>,
): void {
  describe('a Recorder', () => inCluster(started, run))
}

function inCluster(started: () => GroupIngressCluster, run: (argv: readonly string[]) => Promise<string>): void {
  const admin = async (...argv: string[]): Promise<string> =>
    (await started().bed.cluster.kubectl([`--namespace=${namespace}`, ...argv])).stdout
  const recorder = async () =>
    (await started().bed.cluster.get<KubeObject & { status?: RecorderStatus }>('recorder', 'recorder'))?.status
  const isReady = async () =>
    (await recorder())?.conditions?.find(({ type }) => type === 'RecorderReady')?.status === 'True'
  const addressesOf = async (replica: number) => (await started().bed.control.node(`recorder-${replica}`)).addresses
  const uploadsTo = async (replica: number) =>
    (await addressesOf(replica)).map((text) => withPort(parseAddress(text)!, 80))
  const pageOf = (replica: number) => new RecorderPage(started().bed, `recorder-${replica}`)
  const somebody = () => started().bed.host('client1')
  /** Has the policy of the page, with the addresses of recorders as Tailscale puts them in place of tags. */
  const grant = async (recorderAddrs: readonly string[]): Promise<void> => {
    const { addresses: src } = await started().bed.control.node('client1')
    const addressed = (app: CapMap): CapMap =>
      ofKubernetes in app
        ? { [ofKubernetes]: app[ofKubernetes]!.map((rule) => ({ ...(rule as object), recorderAddrs })) }
        : app
    await started().bed.control.putGrants(granted.map((app) => ({ src, dst: ['*'], app: addressed(app) })))
  }
  const exec = (command: string) =>
    run(onTerminal(`kubectl exec --stdin --tty --namespace=default db -- sh -c '${command}'`))
  /** The key of the last session with this word in its command, once it is as it should be. */
  const found = async (replica: number, word: string, note = ''): Promise<string> => {
    const last = async () => (await pageOf(replica).listed(somebody(), word))[0]
    await expect.poll(last).toMatchObject({ note })
    return (await last())!.key
  }

  beforeAll(async () => {
    const { bed } = started()
    const { cluster } = bed
    await cluster.importImage((await buildRecorderImage()).archive)
    for (const node of cluster.nodes) await node.exec(['mkdir', '/tmp/volume'])
    const [apiGroup, name] = ['rbac.authorization.k8s.io', 'devs-exec']
    await cluster.apply(
      ...cluster.nodes.map((node) => volumeOn(node.name)),
      {
        apiVersion: `${apiGroup}/v1`,
        kind: 'ClusterRole',
        metadata: { name },
        rules: [{ apiGroups: [''], resources: ['pods/exec'], verbs: ['create', 'get'] }],
      },
      {
        apiVersion: `${apiGroup}/v1`,
        kind: 'ClusterRoleBinding',
        metadata: { name },
        roleRef: { apiGroup, kind: 'ClusterRole', name },
        subjects: [{ kind: 'Group', apiGroup, name: 'devs' }],
      },
    )
  })

  test('with the manifest of the page keeps kubectl exec on a volume, where the next Pod finds it', async () => {
    await started().bed.cluster.apply(onVolume)
    await trustAuthority(started().bed, 'recorder')
    await started().rolledOut('recorder')
    await expect.poll(isReady).toBe(true)
    const tailnetIPs = await addressesOf(0)
    await expect
      .poll(async () => (await recorder())?.devices)
      .toMatchObject([{ hostname: 'recorder-0', tailnetIPs, url: 'https://recorder-0.lab.ts.net' }])
    await grant(await uploadsTo(0))
    // Rights and policies take a moment, and until then nothing is recorded, or nothing is let through.
    const show = () => exec('echo shown €; printf "to a recorder"')
    const isRecorded = async () => {
      await show().catch(() => {})
      return (await pageOf(0).listed(somebody(), 'shown')).length > 0
    }
    await expect.poll(isRecorded).toBe(true)
    const seen = await show()
    expect(seen).toBe('shown €\r\nto a recorder')
    const key = await found(0, 'shown')
    expect(await pageOf(0).shown(somebody(), key)).toBe(seen)
    const token = `ls /var/run/secrets/kubernetes.io/serviceaccount | wc -l`
    expect(await admin('exec', 'recorder-0', '--container=recorder', '--', 'sh', '-c', token)).toMatch(/^0$/m)

    await admin('delete', 'pod', 'recorder-0')
    await expect.poll(() => pageOf(0).shown(somebody(), key)).toBe(seen)
    expect(await found(0, 'shown')).toBe(key)
  })

  test('with the one for S3, several replicas keep exec and SSH there, and show all to whoever may see them', async () => {
    const { bed } = started()
    const { spec, ...rest } = inS3 as KubeObject & {
      spec: { replicas: number; storage: { s3: object & { bucket: string } } }
    }
    const { endpoint, ca } = await startHostS3(bed.host('storage'), spec.storage.s3.bucket)
    const keys = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, CULVERT_RECORDER_S3_CA: ca }
    const literals = Object.entries(keys).map(([name, value]) => `--from-literal=${name}=${value}`)
    await admin('create', 'secret', 'generic', 's3-keys', ...literals)
    await bed.cluster.apply({ ...rest, spec: { ...spec, storage: { s3: { ...spec.storage.s3, endpoint } } } })
    await expect.poll(async () => (await recorder())?.devices).toHaveLength(2)
    await started().rolledOut('recorder')
    await expect.poll(isReady).toBe(true)
    await grant([...(await uploadsTo(0)), ...(await uploadsTo(1))])

    const client2 = bed.host('client2')
    const onRecordingFailure = { RejectSessionWithMessage: 'no recorder', TerminateSessionWithMessage: 'no recorder' }
    const action = { accept: true, recorders: await uploadsTo(1), onRecordingFailure }
    const rules = [{ principals: [{ any: true }], sshUsers: { root: 'root' }, action }]
    await writeFile(client2.path(sshPolicyFile), JSON.stringify({ rules }))
    const options = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR', 'BatchMode=yes']
    const { addresses } = await bed.control.node('client2')
    const ssh = `ssh -tt ${options.map((one) => `-o ${one}`).join(' ')} root@${addresses[0]} "echo by €; printf SSH"`
    const seenBySsh = 'by €\r\nSSH'
    await expect.poll(() => run(onTerminal(ssh)).catch(() => '')).toBe(seenBySsh)
    const bySsh = await found(1, 'SSH')
    expect(await pageOf(1).shown(somebody(), bySsh)).toBe(seenBySsh)

    // The replica that has the session ends in the middle of it.
    const long = run([
      'kubectl',
      'exec',
      '--namespace=default',
      'db',
      '--',
      'sh',
      '-c',
      'echo the first part; sleep 9999',
    ])
    const ended = long.then(
      () => 'to its end',
      () => 'cut',
    )
    const goingOn = async (replica: number) =>
      (await pageOf(replica).listed(somebody(), '9999')).map(({ note }) => ({ replica, note }))
    const open = async () =>
      (await Promise.all([goingOn(0), goingOn(1)])).flat().filter(({ note }) => note === 'going on')
    await expect.poll(open).toHaveLength(1)
    const { replica } = (await open())[0]!
    const key = await found(replica, '9999', 'going on')
    await expect.poll(() => pageOf(replica).shown(somebody(), key)).toBe('the first part\n')
    const metrics = () =>
      admin('get', '--raw', `/api/v1/namespaces/${namespace}/pods/recorder-${replica}:9004/proxy/metrics`)
    await expect.poll(metrics).toMatch(/^culvert_recorder_unacknowledged_bytes 0$/m)
    await admin('delete', 'pod', `recorder-${replica}`, '--grace-period=0', '--force')
    expect(await ended).toBe('cut')
    await expect.poll(() => exec('echo by; printf other').catch(() => '')).toBe('by\r\nother')
    expect(await found(replica, '9999', 'cut off')).toBe(key)
    expect(await pageOf(replica).shown(somebody(), key)).toBe('the first part\n')

    // It has what both have kept.
    expect(await found(replica, 'SSH')).toBe(bySsh)
    expect(await pageOf(replica).shown(somebody(), bySsh)).toBe(seenBySsh)
    expect(await pageOf(replica).shown(somebody(), await found(replica, 'other'))).toBe('by\r\nother')
    const refused = { status: 403, body: expect.stringContaining('does not grant') as string }
    for (const path of ['/', `/see/${bySsh}`, `/file/${bySsh}`])
      await expect.poll(() => pageOf(replica).get(client2, path)).toMatchObject(refused)
  })

  test('is gone with its devices when it is deleted, and then nobody gets in who must be recorded', async () => {
    const { bed } = started()
    await bed.cluster.kubectl(['delete', 'recorder/recorder', '--timeout=600s'])
    expect((await bed.control.nodes()).filter(({ name: one }) => one.startsWith('recorder'))).toEqual([])
    await expect(exec('true')).rejects.toThrow(/no recorder takes it/)
    const claims = (await bed.cluster.list('persistentvolumeclaims', namespace)).map(({ metadata }) => metadata.name)
    expect(new Set(claims)).toEqual(new Set(['data-recorder-0', 'data-recorder-1']))
  })
}
