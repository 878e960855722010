import { join } from 'node:path'
import { describe, expect, it, test } from 'vitest'
import { stringify } from 'yaml'
import { UserError } from '../../../kube/controller/controller.ts'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { children } from '../../../operator/proxy/children.ts'
import { recorder } from '../../../operator/recorder/recorder.ts'
import type { RecorderSpec } from '../../../operator/recorder/request.ts'
import { settings, worldOf } from '../a-world.ts'
import { made, s3, type Texts } from './a-recorder.ts'

const planned = (object: KubeObject) => recorder.plan(object, worldOf(), settings).proxies!

type Container = {
  readonly name: string
  readonly image: string
  readonly env: readonly { readonly name: string; readonly value?: string }[]
  readonly [field: string]: unknown
}
type StatefulSet = KubeObject & {
  readonly spec: {
    readonly selector: unknown
    readonly volumeClaimTemplates?: unknown
    readonly template: {
      readonly metadata: { readonly labels: Texts; readonly annotations?: Texts }
      readonly spec: {
        readonly serviceAccountName: string
        readonly initContainers: readonly Container[]
        readonly volumes: readonly { readonly name: string }[]
        readonly [field: string]: unknown
      }
    }
  }
}

/** Everything that is made but Secrets. */
function objectsOf(object: KubeObject): readonly KubeObject[] {
  const request = planned(object)
  const parent = { type: 'recorder', namespace: '', name: object.metadata.name } as const
  const rest = { surplus: [], present: undefined, class: undefined, settings }
  return children({ parent, uid: object.metadata.uid!, name: request.name!, request, ...rest })
}
const setOf = (object: KubeObject): StatefulSet => objectsOf(object).at(-1) as StatefulSet
const containerOf = (object: KubeObject): Container => setOf(object).spec.template.spec.initContainers[0]!
const variablesOf = (object: KubeObject): Readonly<Record<string, string | undefined>> =>
  Object.fromEntries(containerOf(object).env.map(({ name, value }) => [name, value]))

test('the objects of a Recorder are as they were', async () => {
  const object = made({ enableUI: true }, 'rec', { 'culvert/volume': '20Gi' })
  const text = objectsOf(object)
    .map((one) => stringify(one, { aliasDuplicateObjects: false, singleQuote: true, lineWidth: 0 }))
    .join('---\n')
  await expect(text).toMatchFileSnapshot(join(import.meta.dirname, '../golden/recorder.yaml'))
})

describe('a Recorder', () => {
  it('is a node that hands on port 80 to the recorder beside the agent, with who it comes from', () => {
    expect(planned(made({ enableUI: true, tags: ['tag:recorder'] }))).toMatchObject({
      hostnames: ['rec-0'],
      tags: ['tag:recorder'],
      mode: 'userspace',
      serveConfig: { TCP: { '80': { TCPForward: '127.0.0.2:8080', ProxyProtocol: 2 } } },
    })
    expect(planned(made({ storage: { s3 } })).serveConfig).toEqual({
      TCP: { '80': { TCPForward: '127.0.0.2:8080', ProxyProtocol: 2 } },
    })
    expect(variablesOf(made({ enableUI: true }))).toMatchObject({
      CULVERT_RECORDER_LISTEN: '127.0.0.2:8080',
      TS_SOCKET: '/run/tailscale/tailscaled.sock',
    })
  })

  it('is called as Tailscale’s operator calls it, and its selector has no labels of users', () => {
    const set = setOf(made({ enableUI: true, statefulSet: { labels: { a: 'b' }, pod: { labels: { team: 'x' } } } }))
    expect(set.metadata).toMatchObject({ name: 'rec', labels: { a: 'b' } })
    expect(set.spec.selector).toEqual({ matchLabels: { app: 'uid-1' } })
    expect(set.spec.template.metadata.labels).toMatchObject({ team: 'x', app: 'uid-1' })
  })

  it('runs the recorder as another user than the agent, without a right', () => {
    expect(containerOf(made({ enableUI: true }))).toMatchObject({
      image: settings.recorderImage,
      restartPolicy: 'Always',
      securityContext: { runAsUser: 65532, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
    })
    expect(setOf(made({ enableUI: true })).spec.template.spec).toMatchObject({
      securityContext: { runAsNonRoot: true, runAsUser: 1000, fsGroup: 1000 },
    })
  })
})

describe('recordings are kept', () => {
  it('in the Pod by default', () => {
    const object = made({ enableUI: true })
    expect(variablesOf(object)).toMatchObject({ TSRECORDER_DST: '/data/recordings', TSRECORDER_UI: 'true' })
    expect(setOf(object).spec.template.spec.volumes).toContainEqual({ name: 'data', emptyDir: {} })
  })

  it('on a claim for each replica, if an annotation says so', () => {
    const set = setOf(made({}, 'rec', { 'culvert/volume': '20Gi', 'culvert/volume-class': 'fast' }))
    expect(set.spec.volumeClaimTemplates).toMatchObject([
      { metadata: { name: 'data' }, spec: { storageClassName: 'fast', resources: { requests: { storage: '20Gi' } } } },
    ])
    expect(set.spec.template.spec.volumes.map(({ name }) => name)).not.toContain('data')
  })

  it('in S3, with the credentials of a Secret', () => {
    const object = made({ replicas: 2, storage: { s3 } })
    const variables = variablesOf(object)
    expect(variables).toMatchObject({ TSRECORDER_DST: 's3://s3.example.com', TSRECORDER_BUCKET: 'sessions' })
    expect(variables).not.toHaveProperty('TSRECORDER_UI')
    expect(containerOf(object)['envFrom']).toEqual([{ secretRef: { name: 'keys' } }])
    expect(planned(object).hostnames).toEqual(['rec-0', 'rec-1'])
  })

  it('in S3 with the identity of a service account', () => {
    const annotations = { 'eks.amazonaws.com/role-arn': 'arn:aws:iam::1:role/rec' }
    const serviceAccount = { name: 'sessions', annotations }
    const { credentials: _, ...bucket } = s3
    const object = made({ storage: { s3: bucket }, statefulSet: { pod: { serviceAccount } } })
    expect(containerOf(object)).not.toHaveProperty('envFrom')
    expect(setOf(object).spec.template.spec.serviceAccountName).toBe('sessions')
    const accounts = objectsOf(object).filter(({ kind }) => kind === 'ServiceAccount')
    expect(accounts.map(({ metadata }) => metadata)).toMatchObject([{ name: 'sessions', annotations }])
    const binding = objectsOf(object).find(({ kind }) => kind === 'RoleBinding')
    expect(binding).toMatchObject({ metadata: { name: 'rec' }, subjects: [{ name: 'sessions' }] })
    expect(binding!['subjects']).toHaveLength(1)
  })
})

test('the Pods and the recorder are as the spec says, but users cannot move the storage', () => {
  const container = {
    image: 'mirror/recorder:2',
    imagePullPolicy: 'Always' as const,
    env: [
      { name: 'CULVERT_RECORDER_KEEP', value: '90d' },
      { name: 'TSRECORDER_DST', value: '/elsewhere' },
    ],
    resources: { limits: { memory: '1Gi' } },
    securityContext: { runAsUser: 7 },
  }
  const pod = {
    annotations: { a: 'b' },
    nodeSelector: { disk: 'fast' },
    tolerations: [{ key: 'x' }],
    priorityClassName: 'high',
    securityContext: { fsGroup: 7 },
    imagePullSecrets: [{ name: 'pull' }],
    affinity: { podAntiAffinity: {} },
    container,
  }
  const object = made({ enableUI: true, statefulSet: { pod } })
  const { container: _, annotations, ...ofPod } = pod
  expect(setOf(object).spec.template.spec).toMatchObject(ofPod)
  expect(setOf(object).spec.template.metadata).toMatchObject({ annotations })
  const { env: _env, ...fields } = container
  expect(containerOf(object)).toMatchObject(fields)
  const names = containerOf(object).env.map(({ name }) => name)
  expect(names).toHaveLength(new Set(names).size)
  expect(names.indexOf('POD_NAME')).toBeLessThan(names.indexOf('CULVERT_RECORDER_KEEP'))
  expect(variablesOf(object)).toMatchObject({ CULVERT_RECORDER_KEEP: '90d', TSRECORDER_DST: '/data/recordings' })
})

test('annotations of users say nothing of what this operator has made', () => {
  const annotations = { 'culvert/volume-claims': 'x', team: 'net' }
  const { metadata } = setOf(made({ enableUI: true, statefulSet: { annotations } }))
  expect(metadata.annotations).toMatchObject({ team: 'net' })
  expect(metadata.annotations).not.toHaveProperty(['culvert/volume-claims'])
})

describe('what cannot be done is refused with the remedy', () => {
  const ui: RecorderSpec = { enableUI: true }
  const image = (name: string): RecorderSpec => ({ ...ui, statefulSet: { pod: { container: { image: name } } } })
  test.each<[string, KubeObject, string]>([
    ['nothing that shows recordings', made({}), 'RecorderInvalid: nobody could ever see its recordings. Set'],
    ['several without S3', made({ ...ui, replicas: 2 }), 'RecorderInvalid: spec: more than one replica needs storage'],
    ['far too many', made({ storage: { s3 }, replicas: 501 }), 'RecorderInvalid: spec.replicas: 501 are more than 500'],
    ['another tailnet', made({ ...ui, tailnet: 'b' }), 'RecorderTailnetUnavailable: it asks for the Tailnet "b"'],
    ['a name that Services cannot have', made(ui, 'a.b'), 'RecorderInvalid: its name "a.b" cannot be used'],
    ['a name that is too long', made(ui, 'x'.repeat(53)), 'cannot be used'],
    ['a tag that is none', made({ ...ui, tags: ['a'] }), 'RecorderInvalid: spec.tags[0]'],
    ['a size that is none', made(ui, 'rec', { 'culvert/volume': 'much' }), 'culvert/volume must be a size such as'],
    ['the image of Tailscale’s recorder', made(image('mirror/tsrecorder:v1.90')), 'is that of Tailscale’s recorder'],
    ['the same by its digest', made(image('tailscale/tsrecorder@sha256:0')), 'is that of Tailscale’s recorder'],
  ])('%s', (_title, object, message) => {
    const said = (): string => {
      try {
        return JSON.stringify(planned(object))
      } catch (error) {
        if (error instanceof UserError) return `${error.reason}: ${error.message}. ${error.remedy}`
        throw error
      }
    }
    expect(said()).toContain(message)
    expect(said()).toMatch(/^Recorder\w+: .*\. [A-Z].*\.$/s)
  })

  it('with Tailscale’s agent', () => {
    const plan = () => recorder.plan(made(ui), worldOf(), { ...settings, agent: 'upstream' })
    expect(plan).toThrow('the recorder needs Culvert’s agent beside it')
  })
})

test('an annotation that is misspelt is told', () => {
  const { events } = recorder.plan(made({ enableUI: true }, 'rec', { 'culvert/volum': '1Gi' }), worldOf(), settings)
  expect(events).toEqual([
    {
      type: 'Warning',
      reason: 'AnnotationIgnored',
      message: 'there is no annotation "culvert/volum"; did you mean culvert/volume?',
    },
  ])
})
