import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { KubeObject } from '../../kube/controller/object.ts'
import { pods } from '../../operator/objects/resources.ts'
import { ApiBed, never } from '../kube/controller/api-bed.ts'
import { type Bed, startBed } from '../lab/bed.ts'
import { printLogsOnFailure } from '../lab/vitest.ts'
import { playAgents } from './played-agents.ts'

let bed: Bed
let real: ApiBed
beforeAll(async () => {
  bed = await startBed({ hosts: {}, cluster: { nodes: 0 } })
  real = await ApiBed.start(bed)
  await bed.cluster.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })
  await bed.cluster.apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace } })
})
afterAll(async () => {
  await real[Symbol.asyncDispose]()
  await bed.down()
})
beforeEach(() => printLogsOnFailure(bed))

const namespace = 'tailscale'
const labels = { app: 'a' }
const config = (authKey: string) => ({ 'cap-107.hujson': JSON.stringify({ Hostname: 'a', AuthKey: authKey }) })
const secret = (ordinal: number, authKey: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: `a-${ordinal}`, namespace },
  stringData: config(authKey),
})
const statefulSet = (replicas: number, image = 'one'): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name: 'a', namespace },
  spec: {
    replicas,
    selector: { matchLabels: labels },
    template: { metadata: { labels }, spec: { containers: [{ name: 'tailscale', image }] } },
  },
})

type Pod = KubeObject & {
  readonly spec: { readonly containers: readonly [{ readonly image: string }] }
  readonly status: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] }
}
const readyPods = async (): Promise<string[]> =>
  (await bed.cluster.list<Pod>('pods', namespace)).flatMap(({ metadata, spec, status }) =>
    status.conditions?.some(({ type, status: text }) => type === 'Ready' && text === 'True') === true
      ? [`${metadata.name} ${spec.containers[0].image}`]
      : [],
  )
const deviceOf = async (name: string): Promise<string | undefined> => {
  const data = (await bed.cluster.get<{ data: Record<string, string> }>('secret', name, namespace))?.data
  const id = data?.['device_id']
  return id === undefined ? undefined : Buffer.from(id, 'base64').toString()
}

test('Pods and their agents come, change, fail and go as their StatefulSet says', async () => {
  const problems: string[] = []
  await using agents = playAgents(real.direct, { namespace, problem: (text) => problems.push(text) })
  await bed.cluster.apply(statefulSet(2), secret(0, 'k0'), secret(1, 'k1'))
  await expect.poll(readyPods).toEqual(['a-0 one', 'a-1 one'])
  const setStatus = async () => (await bed.cluster.get('statefulset', 'a', namespace))?.['status']
  await expect.poll(setStatus).toMatchObject({ observedGeneration: 1, replicas: 2, readyReplicas: 2 })
  const device = await deviceOf('a-0')
  expect(device).toMatch(/^n\d+CNTRL$/)

  await bed.cluster.apply(statefulSet(2, 'two'))
  await expect.poll(readyPods).toEqual(['a-0 two', 'a-1 two'])
  expect(await deviceOf('a-0')).toBe(device)

  await bed.cluster.apply(statefulSet(1, 'two'))
  await expect.poll(readyPods).toEqual(['a-0 two'])

  agents.fault('a-0', 'key-refused')
  await expect.poll(readyPods).toEqual([])
  await bed.cluster.apply(secret(0, 'k2'))
  await expect.poll(readyPods).toEqual(['a-0 two'])
  expect(await deviceOf('a-0')).not.toBe(device)

  agents.fault('a-0', 'never-ready')
  await expect.poll(readyPods).toEqual([])
  agents.fault('a-0', undefined)
  await expect.poll(readyPods).toEqual(['a-0 two'])

  await bed.cluster.kubectl(['delete', 'statefulset/a', '--cascade=foreground', `--namespace=${namespace}`])
  await expect.poll(() => bed.cluster.list('pods', namespace)).toEqual([])
  expect(await bed.cluster.list('statefulsets', namespace)).toEqual([])
  expect(problems).toEqual([])
})

test('replicas of a group report what they forward, and are ready once their gate is', async () => {
  const problems: string[] = []
  await using _ = playAgents(real.direct, { namespace, problem: (text) => problems.push(text) })
  const encoded = (text: string): string => Buffer.from(text).toString('base64')
  const files = (services: object): KubeObject => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'g-egress-config', namespace },
    binaryData: { 'egress-services': encoded(JSON.stringify(services)) },
  })
  const gate = 'tailscale.com/egress-services'
  const env = [{ name: 'TS_EGRESS_PROXIES_CONFIG_PATH', value: '/etc/proxies' }]
  const spec = {
    readinessGates: [{ conditionType: gate }],
    containers: [{ name: 'tailscale', image: 'one', env }],
    volumes: [{ name: 'g-egress-config', configMap: { name: 'g-egress-config' } }],
  }
  const set: KubeObject = {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'g', namespace },
    spec: { replicas: 1, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
  }
  const own = (name: string, stringData: object): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace },
    stringData,
  })
  await bed.cluster.apply(files({}), set, own('g-0', {}), own('g-0-config', config('k9')))
  type Status = { readonly podIPv4: string; readonly services: Readonly<Record<string, unknown>> | null }
  const status = async (): Promise<Status | undefined> => {
    const { data = {} } = (await bed.cluster.get<{ data?: Record<string, string> }>('secret', 'g-0', namespace)) ?? {}
    const text = data['egress-services']
    return text === undefined ? undefined : (JSON.parse(Buffer.from(text, 'base64').toString()) as Status)
  }
  const ports = [{ protocol: 'TCP', matchPort: 10000, targetPort: 80 }]
  await bed.cluster.apply(files({ db: { tailnetTarget: { ip: '', fqdn: 'db.lab.ts.net' }, ports } }))
  await expect.poll(async () => Object.keys((await status())?.services ?? {})).toEqual(['db'])
  const pod = async () => (await bed.cluster.get<Pod & { status: { podIP: string } }>('pod', 'g-0', namespace))!
  expect((await pod()).status.podIP).toBe((await status())!.podIPv4)
  expect(await readyPods()).toEqual([])
  const body = { apiVersion: 'v1', kind: 'Pod', status: { conditions: [{ type: gate, status: 'True' }] } }
  const patch = { type: 'apply', body: { ...body, metadata: { name: 'g-0', namespace } }, manager: 'gate' } as const
  await real.direct.patch(pods, { namespace, name: 'g-0' }, { ...patch, subresource: 'status' }, never)
  await expect.poll(readyPods).toEqual(['g-0 one'])
  await bed.cluster.kubectl(['delete', 'statefulset/g', '--cascade=foreground', `--namespace=${namespace}`])
  await expect.poll(() => bed.cluster.list('pods', namespace)).toEqual([])
  expect(problems).toEqual([])
})
