import { describe, expect, it, test } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { overlay } from '../../../operator/proxy-class/overlay.ts'
import type { ProxyClassSpec } from '../../../operator/schemas/proxy-class.ts'

const labels = { app: 'uid', 'tailscale.com/managed': 'true' }
const tailscale = {
  name: 'tailscale',
  image: 'culvert',
  imagePullPolicy: 'IfNotPresent',
  env: [
    { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
    { name: 'TS_KUBE_SECRET', value: '$(POD_NAME)' },
    { name: 'TS_USERSPACE', value: 'false' },
  ],
  resources: { requests: { cpu: '10m', memory: '128Mi' } },
  securityContext: { readOnlyRootFilesystem: true, capabilities: { add: ['NET_ADMIN'] } },
}
const sysctler = { name: 'sysctler', image: 'culvert', securityContext: { privileged: true } }
const podSpec = {
  serviceAccountName: 'ts-a-xyz',
  priorityClassName: 'from-the-operator',
  securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
  topologySpreadConstraints: [{ topologyKey: 'kubernetes.io/hostname' }],
  initContainers: [sysctler],
  containers: [tailscale],
}
const made: KubeObject = {
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name: 'ts-a-xyz', namespace: 'tailscale', labels },
  spec: { replicas: 1, selector: { matchLabels: { app: 'uid' } }, template: { metadata: { labels }, spec: podSpec } },
}
type Made = {
  metadata: KubeObject['metadata']
  spec: { selector: object; template: { metadata: object; spec: object } }
}
const laid = (statefulSet: ProxyClassSpec['statefulSet']): Made => overlay(made, { statefulSet }) as unknown as Made
const pod = (fields: NonNullable<ProxyClassSpec['statefulSet']>['pod']) => laid({ pod: fields }).spec.template
const { priorityClassName: _, ...withoutPriority } = podSpec

it('without a StatefulSet in the class, nothing changes', () => {
  expect(overlay(made, { tailscale: { acceptRoutes: true } })).toEqual(made)
  expect(overlay(made, { statefulSet: {} })).toEqual(made)
})

it('adds labels and annotations, and the operator’s stay', () => {
  const more = { team: 'net', app: 'mine' }
  const result = laid({ labels: more, annotations: { a: 'b' }, pod: { labels: more, annotations: { c: 'd' } } })
  expect(result.metadata).toMatchObject({ labels: { ...labels, team: 'net' }, annotations: { a: 'b' } })
  expect(result.spec.template.metadata).toEqual({ labels: { ...labels, team: 'net' }, annotations: { c: 'd' } })
  expect(result.spec.selector).toEqual({ matchLabels: { app: 'uid' } })
})

describe('a field of the Pod replaces that of the operator as a whole', () => {
  test.each([
    ['affinity', { nodeAffinity: {} }],
    ['securityContext', { fsGroup: 1 }],
    ['imagePullSecrets', [{ name: 'registry' }]],
    ['nodeName', 'node-1'],
    ['nodeSelector', { a: 'b' }],
    ['tolerations', [{ operator: 'Exists' }]],
    ['topologySpreadConstraints', [{ topologyKey: 'zone', maxSkew: 2 }]],
    ['priorityClassName', 'high'],
    ['dnsPolicy', 'None'],
    ['dnsConfig', { nameservers: ['10.0.0.1'] }],
  ])('%s', (field, value) => {
    expect(pod({ [field]: value }).spec).toEqual({ ...withoutPriority, [field]: value })
  })

  it('and a class with Pods but without priority means none, as with Tailscale’s operator', () => {
    expect(pod({ labels: {} }).spec).toEqual(withoutPriority)
  })
})

describe('the container', () => {
  const container = (fields: object) => pod({ tailscaleContainer: fields }).spec
  const withContainer = (fields: object) => ({ ...withoutPriority, containers: [{ ...tailscale, ...fields }] })

  test.each([
    [
      { image: 'example.com/a:1', imagePullPolicy: 'Always' },
      { image: 'example.com/a:1', imagePullPolicy: 'Always' },
    ],
    [{ securityContext: { privileged: true } }, { securityContext: { privileged: true } }],
    [{ resources: { limits: { cpu: 1 }, claims: [{ name: 'a' }] } }, { resources: { limits: { cpu: 1 } } }],
    [{ debug: { enable: true } }, {}],
  ])('with %j', (fields, result) => {
    expect(container(fields)).toEqual(withContainer(result))
  })

  it('has each variable once, the class’s last', () => {
    const env = [
      { name: 'TS_USERSPACE', value: 'x' },
      { name: 'MINE', value: '$(POD_NAME)' },
      { name: 'TS_USERSPACE', value: 'true' },
    ]
    expect(container({ env })).toEqual(withContainer({ env: [tailscale.env[0], tailscale.env[1], env[1], env[2]] }))
  })

  it('that turns forwarding on has its own', () => {
    expect(pod({ tailscaleInitContainer: { image: 'other' } }).spec).toEqual({
      ...withoutPriority,
      initContainers: [{ ...sysctler, image: 'other' }],
    })
    const { initContainers: _none, ...userspace } = podSpec
    const template = { metadata: { labels }, spec: userspace }
    const plain = { ...made, spec: { ...(made['spec'] as object), template } }
    const result = overlay(plain, { statefulSet: { pod: { tailscaleInitContainer: { image: 'other' } } } })
    expect(JSON.stringify(result)).not.toContain('other')
  })
})

describe('the template', () => {
  it('is merged after the other fields', () => {
    const result = laid({
      pod: { tailscaleContainer: { image: 'first' } },
      template: {
        spec: { containers: [{ name: 'tailscale', image: 'second', env: [{ name: 'TS_USERSPACE', value: 'true' }] }] },
      },
    })
    expect(result.spec.template.spec).toMatchObject({
      containers: [{ image: 'second', env: [{}, {}, { value: 'true' }] }],
    })
  })

  it('cannot take away or change the labels by which the operator finds its Pods', () => {
    const result = laid({ template: { metadata: { labels: { $patch: 'replace', app: 'other', a: 'b' } } } })
    expect(result.spec.template.metadata).toEqual({ labels: { ...labels, a: 'b' } })
  })
})
