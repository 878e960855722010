import { describe, expect, it, test } from 'vitest'
import { merge, mergeProblems } from '../../../operator/proxy-class/merge.ts'

const base = {
  metadata: { labels: { app: 'uid' } },
  spec: {
    serviceAccountName: 'sa',
    securityContext: { fsGroup: 1 },
    tolerations: [{ key: 'a' }],
    containers: [
      {
        name: 'tailscale',
        env: [
          { name: 'A', value: '1' },
          { name: 'B', value: '2' },
        ],
        ports: [{ name: 'metrics', containerPort: 9002 }],
        livenessProbe: { exec: { command: ['live'] } },
        volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }],
      },
    ],
    volumes: [
      { name: 'tmp', emptyDir: {} },
      { name: 'run', emptyDir: {} },
    ],
  },
}
const container = (patch: object) => merge(base, { spec: { containers: [{ name: 'tailscale', ...patch }] } })
const tailscale = base.spec.containers[0]

describe('a strategic merge', () => {
  test.each([
    ['a field is set', { spec: { hostNetwork: true } }, { ...base, spec: { ...base.spec, hostNetwork: true } }],
    [
      'null removes a field',
      { spec: { securityContext: null } },
      { ...base, spec: { ...base.spec, securityContext: undefined } },
    ],
    [
      '$patch: delete removes a field of any type',
      {
        spec: {
          securityContext: { $patch: 'delete' },
          serviceAccountName: { $patch: 'delete' },
          tolerations: { $patch: 'delete' },
        },
      },
      { ...base, spec: { containers: base.spec.containers, volumes: base.spec.volumes } },
    ],
    ['null removes nothing that is not there', { spec: { nodeName: null } }, base],
    [
      'other lists are taken as a whole',
      { spec: { tolerations: [{ key: 'b' }] } },
      { ...base, spec: { ...base.spec, tolerations: [{ key: 'b' }] } },
    ],
    [
      'a new item comes last',
      { spec: { containers: [{ name: 'logs', image: 'i' }] } },
      { ...base, spec: { ...base.spec, containers: [tailscale, { name: 'logs', image: 'i' }] } },
    ],
    [
      'an item is removed',
      {
        spec: {
          volumes: [
            { name: 'tmp', $patch: 'delete' },
            { name: 'other', $patch: 'delete' },
          ],
        },
      },
      { ...base, spec: { ...base.spec, volumes: [{ name: 'run', emptyDir: {} }] } },
    ],
    [
      'another source of a volume replaces the first',
      { spec: { volumes: [{ name: 'tmp', hostPath: { path: '/x' } }] } },
      {
        ...base,
        spec: {
          ...base.spec,
          volumes: [
            { name: 'tmp', hostPath: { path: '/x' } },
            { name: 'run', emptyDir: {} },
          ],
        },
      },
    ],
    [
      'the same source of a volume is merged',
      { spec: { volumes: [{ name: 'tmp', emptyDir: { medium: 'Memory' } }] } },
      {
        ...base,
        spec: {
          ...base.spec,
          volumes: [
            { name: 'tmp', emptyDir: { medium: 'Memory' } },
            { name: 'run', emptyDir: {} },
          ],
        },
      },
    ],
    [
      'a list is replaced',
      { spec: { volumes: [{ $patch: 'replace' }, { name: 'a', emptyDir: {} }] } },
      { ...base, spec: { ...base.spec, volumes: [{ name: 'a', emptyDir: {} }] } },
    ],
    [
      'an object is replaced',
      { spec: { securityContext: { $patch: 'replace', runAsUser: 1 } } },
      { ...base, spec: { ...base.spec, securityContext: { runAsUser: 1 } } },
    ],
    [
      'labels are added',
      { metadata: { labels: { a: 'b' } } },
      { ...base, metadata: { labels: { app: 'uid', a: 'b' } } },
    ],
  ])('%s', (_title, patch, result) => {
    expect(merge(base, patch)).toEqual(result)
  })

  test.each([
    [
      'a variable',
      { env: [{ name: 'A', value: '3' }] },
      {
        env: [
          { name: 'A', value: '3' },
          { name: 'B', value: '2' },
        ],
      },
    ],
    [
      'a port, by its number',
      { ports: [{ containerPort: 9002, hostPort: 1 }] },
      { ports: [{ name: 'metrics', containerPort: 9002, hostPort: 1 }] },
    ],
    [
      'a mount, by its path',
      { volumeMounts: [{ mountPath: '/tmp', name: 'run' }] },
      { volumeMounts: [{ mountPath: '/tmp', name: 'run' }] },
    ],
    ['a probe, which is removed', { livenessProbe: null }, { livenessProbe: undefined }],
  ])('reaches %s', (_what, patch, result) => {
    expect(container(patch)).toEqual({ ...base, spec: { ...base.spec, containers: [{ ...tailscale, ...result }] } })
  })

  it('leaves no directive and no null behind, also where nothing was', () => {
    const patch = {
      spec: {
        initContainers: [
          { name: 'a', image: null, $patch: 'merge' },
          { name: 'b', $patch: 'delete' },
        ],
      },
    }
    expect(JSON.stringify(merge({}, patch))).toBe('{"spec":{"initContainers":[{"name":"a"}]}}')
  })
})

test.each([
  [{ spec: { containers: [{ image: 'a' }] } }, 't.spec.containers[0] has no name'],
  [
    { spec: { containers: [{ name: 'a', volumeMounts: [{ name: 'b' }] }] } },
    't.spec.containers[0].volumeMounts[0] has no mountPath',
  ],
  [{ spec: { $patch: 'remove' } }, 't.spec.$patch must be delete, replace or merge'],
  [{ spec: { '$setElementOrder/containers': [] } }, 't.spec has the directive $setElementOrder/containers'],
  [{ metadata: { $retainKeys: ['a'] } }, 't.metadata has the directive $retainKeys'],
])('%j cannot be merged', (patch, problem) => {
  expect(mergeProblems(patch, 't')).toEqual([expect.stringContaining(problem)])
})
