import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { merge } from '../../../operator/proxy-class/merge.ts'
import { type Bed, startBed } from '../../lab/bed.ts'
import { printLogsOnFailure } from '../../lab/vitest.ts'

let bed: Bed
beforeAll(async () => {
  bed = await startBed({ hosts: {}, cluster: { nodes: 0 } })
  await bed.cluster.apply(statefulSet(base))
})
afterAll(() => bed.down())
beforeEach(() => printLogsOnFailure(bed))

const base = {
  metadata: { labels: { app: 'a' }, annotations: { kept: 'yes' } },
  spec: {
    securityContext: { fsGroup: 1, seccompProfile: { type: 'RuntimeDefault' } },
    tolerations: [{ key: 'a', operator: 'Exists' }],
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: 'host',
        whenUnsatisfiable: 'ScheduleAnyway',
        labelSelector: { matchLabels: { app: 'a' } },
      },
    ],
    imagePullSecrets: [{ name: 'one' }],
    initContainers: [{ name: 'sysctler', image: 'i' }],
    containers: [
      {
        name: 'tailscale',
        image: 'i',
        env: [
          { name: 'A', value: '1' },
          { name: 'B', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
        ],
        ports: [{ name: 'metrics', containerPort: 9002, protocol: 'TCP' }],
        livenessProbe: { exec: { command: ['live'] }, periodSeconds: 30 },
        volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }],
        securityContext: { capabilities: { drop: ['ALL'], add: ['NET_ADMIN'] } },
      },
    ],
    volumes: [
      { name: 'tmp', emptyDir: {} },
      { name: 'run', emptyDir: {} },
    ],
  },
}
const statefulSet = (template: object) => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name: 'merged', namespace: 'default' },
  spec: { serviceName: 'a', selector: { matchLabels: { app: 'a' } }, template },
})
const templateOf = (text: string): unknown => sorted((JSON.parse(text) as { spec: { template: object } }).spec.template)
/** The API puts new items first; here they come last, so that variables can refer to those that were there. */
const sorted = (value: unknown): unknown => {
  if (Array.isArray(value))
    return value.map(sorted).toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, sorted(part)]))
}
const dryRun = ['--dry-run=server', '--output=json']

/** What the API makes of the patch, and of what is merged here. */
async function both(patch: object): Promise<[unknown, unknown]> {
  const text = JSON.stringify({ spec: { template: patch } })
  const theirs = await bed.cluster.kubectl([
    'patch',
    'statefulset/merged',
    '--type=strategic',
    `--patch=${text}`,
    ...dryRun,
  ])
  const input = JSON.stringify(statefulSet(merge(base, patch as Record<string, unknown>)))
  const ours = await bed.cluster.kubectl(['replace', '--filename=-', ...dryRun], { input })
  return [templateOf(ours.stdout), templateOf(theirs.stdout)]
}
const container = (patch: object) => ({ spec: { containers: [{ name: 'tailscale', ...patch }] } })

test.each<[string, object]>([
  ['a field', { spec: { hostNetwork: true, terminationGracePeriodSeconds: 5 } }],
  ['labels and annotations', { metadata: { labels: { b: 'c' }, annotations: { kept: null, new: 'x' } } }],
  ['a field that is removed', { spec: { securityContext: null } }],
  ['a part of an object', { spec: { securityContext: { fsGroup: 2 } } }],
  ['an object that is replaced', { spec: { securityContext: { $patch: 'replace', runAsUser: 2 } } }],
  ['a list that is taken as a whole', { spec: { tolerations: [{ key: 'b', operator: 'Exists' }] } }],
  ['pull secrets', { spec: { imagePullSecrets: [{ name: 'two' }] } }],
  ['spread constraints', { spec: { topologySpreadConstraints: [{ topologyKey: 'host', maxSkew: 3 }] } }],
  ['another container', { spec: { containers: [{ name: 'logs', image: 'l' }] } }],
  ['another init container', { spec: { initContainers: [{ name: 'first', image: 'l' }] } }],
  ['an init container that is removed', { spec: { initContainers: [{ name: 'sysctler', $patch: 'delete' }] } }],
  [
    'variables',
    container({
      env: [
        { name: 'A', value: '2' },
        { name: 'C', value: '3' },
      ],
    }),
  ],
  ['a variable that is removed', container({ env: [{ name: 'A', $patch: 'delete' }] })],
  ['another kind of variable', container({ env: [{ name: 'B', value: 'x', valueFrom: null }] })],
  ['variables that are replaced', container({ env: [{ $patch: 'replace' }, { name: 'Z', value: '1' }] })],
  ['a port', container({ ports: [{ containerPort: 9002, name: 'other' }, { containerPort: 80 }] })],
  [
    'a mount',
    container({
      volumeMounts: [
        { mountPath: '/tmp', name: 'run' },
        { mountPath: '/x', name: 'tmp' },
      ],
    }),
  ],
  ['a probe', container({ livenessProbe: { periodSeconds: 5 }, readinessProbe: { exec: { command: ['ready'] } } })],
  ['a probe that is removed', container({ livenessProbe: null })],
  ['capabilities', container({ securityContext: { capabilities: { add: ['NET_RAW'] } } })],
  ['a volume', { spec: { volumes: [{ name: 'more', emptyDir: { sizeLimit: '1Gi' } }] } }],
  ['a volume that is changed', { spec: { volumes: [{ name: 'tmp', emptyDir: { medium: 'Memory' } }] } }],
  [
    'a volume that is removed',
    {
      spec: {
        containers: [{ name: 'tailscale', volumeMounts: [{ $patch: 'replace' }] }],
        volumes: [{ name: 'tmp', $patch: 'delete' }],
      },
    },
  ],
  ['aliases of hosts', { spec: { hostAliases: [{ ip: '10.0.0.1', hostnames: ['a'] }] } }],
])('merges %s as the API does', async (_what, patch) => {
  const [ours, theirs] = await both(patch)
  expect(ours).toEqual(theirs)
})

test('a volume gets another source, for which the API wants more words', async () => {
  const patch = { spec: { volumes: [{ name: 'tmp', configMap: { name: 'a' } }] } }
  const [ours, theirs] = await both({
    spec: { volumes: [{ name: 'tmp', emptyDir: null, configMap: { name: 'a' } }] },
  })
  expect(ours).toEqual(theirs)
  expect(merge(base, patch).spec).toMatchObject({ volumes: [{ name: 'tmp', configMap: { name: 'a' } }, {}] })
})
