import { describe, expect, it, test } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { proxyClass as kind } from '../../../operator/proxy-class/judge.ts'
import { resolveClass } from '../../../operator/proxy-class/resolve.ts'
import type { ProxyClassSpec } from '../../../operator/schemas/proxy-class.ts'
import { worldOf } from '../a-world.ts'
import { proxyClass, serviceMonitors } from './a-class.ts'

const problemOf = (object: KubeObject, ...others: readonly KubeObject[]): string | undefined => {
  const { conditions } = kind.judge(object, worldOf(object, ...others))
  const { status, reason, message } = conditions[0]!
  expect([status, reason]).toEqual(status === 'True' ? ['True', 'ProxyClassValid'] : ['False', 'ProxyClassInvalid'])
  return status === 'True' ? undefined : message
}
const container = (fields: object): ProxyClassSpec => ({ statefulSet: { pod: { tailscaleContainer: fields } } })
const nodePorts = (...ports: readonly { port: number; endPort?: number }[]): ProxyClassSpec => ({
  staticEndpoints: { nodePort: { ports: [...ports] } },
})

describe('a class that can be used', () => {
  test.each<[string, ProxyClassSpec]>([
    ['nothing', {}],
    ['labels', { statefulSet: { labels: { 'example.com/Team_1': 'a.b' } } }],
    ...[
      'tailscale/tailscale',
      'culvert/agent:0.1.0',
      'ghcr.io/tailscale/tailscale:v1.90',
      'localhost:5000/a-b/c__d.e:tag',
      `a@sha256:${'0'.repeat(64)}`,
      `registry.example.com:5000/a:b@sha256:${'0'.repeat(64)}`,
    ].map((image): [string, ProxyClassSpec] => [image, container({ image })]),
    ['ports of nodes', nodePorts({ port: 30_000, endPort: 30_100 }, { port: 30_101 })],
    ['a template', { statefulSet: { template: { spec: { containers: [{ name: 'tailscale', tty: true }] } } } }],
    ['no ServiceMonitor', { metrics: { enable: true, serviceMonitor: { enable: false } } }],
  ])('%s', (_what, spec) => {
    expect(problemOf(proxyClass('a', spec))).toBeUndefined()
  })
})

describe('a class that cannot be used says why', () => {
  test.each<[ProxyClassSpec, string]>([
    [{ statefulSet: { labels: { 'a b': 'c' } } }, 'spec.statefulSet.labels: "a b" is no name'],
    [{ statefulSet: { labels: { a: 'b c' } } }, 'spec.statefulSet.labels.a: '],
    [{ statefulSet: { annotations: { '/a': '' } } }, 'spec.statefulSet.annotations: "/a" is no name'],
    [{ statefulSet: { pod: { labels: { '-a': '' } } } }, 'spec.statefulSet.pod.labels: "-a" is no name'],
    [{ statefulSet: { pod: { annotations: { 'a/b/c': '' } } } }, 'spec.statefulSet.pod.annotations: "a/b/c"'],
    [container({ image: 'A B' }), 'spec.statefulSet.pod.tailscaleContainer.image: "A B" is no reference'],
    [container({ image: 'https://example.com/a' }), 'is no reference to an image'],
    [{ statefulSet: { pod: { tailscaleInitContainer: { image: 'a:' } } } }, 'tailscaleInitContainer.image: "a:"'],
    [{ statefulSet: { pod: { tailscaleInitContainer: { debug: { enable: true } } } } }, 'no debug endpoint'],
    [nodePorts({ port: 30_000, endPort: 30_010 }, { port: 30_010 }), '30000-30010 and 30010 overlap'],
    [nodePorts({ port: 30_010, endPort: 30_000 }), '30010-30000 ends before it begins'],
    [
      { metrics: { enable: true, serviceMonitor: { enable: true } } },
      'no CustomResourceDefinition servicemonitors.monitoring.coreos.com; install the Prometheus operator',
    ],
    [{ metrics: { enable: false, serviceMonitor: { enable: true } } }, 'a ServiceMonitor needs metrics'],
    [
      { statefulSet: { template: { spec: { containers: [{ image: 'a' }] } } } },
      'spec.statefulSet.template.spec.containers[0] has no name',
    ],
    [
      { statefulSet: { template: { spec: { containers: [{ name: 'tailscale', $patch: 'delete' }] } } } },
      'the container tailscale cannot be removed',
    ],
    [
      { statefulSet: { template: { spec: { containers: [{ $patch: 'replace' }, { name: 'a' }] } } } },
      'the container tailscale cannot be removed',
    ],
    ...[
      { containers: null },
      { containers: { $patch: 'delete' } },
      { containers: ['tailscale'] },
      { $patch: 'delete' },
      { $patch: 'replace', hostNetwork: true },
    ].map((podSpec): [ProxyClassSpec, string] => [
      { statefulSet: { template: { spec: podSpec } } },
      'the container tailscale cannot be removed',
    ]),
  ])('%j', (spec, message) => {
    expect(problemOf(proxyClass('a', spec))).toContain(message)
  })

  it('all of it at once, and that proxies stay as they are', () => {
    const message = problemOf(
      proxyClass('a', { ...container({ image: 'A B' }), ...nodePorts({ port: 2, endPort: 1 }) }),
    )
    expect(message).toMatch(/is no reference to an image, .*ends before it begins\. Proxies stay as they are/)
  })

  it('also by its annotation', () => {
    const object = proxyClass('a', {}, { annotations: { 'culvert/agent': 'other' } })
    expect(problemOf(object)).toContain('annotation culvert/agent must be "culvert" or "upstream"')
  })

  it('a ServiceMonitor is possible once its kind exists', () => {
    const object = proxyClass('a', { metrics: { enable: true, serviceMonitor: { enable: true } } })
    expect(problemOf(object, serviceMonitors)).toBeUndefined()
  })
})

describe('two classes with the same ports of nodes', () => {
  const ready = (observedGeneration = 1) => ({
    conditions: [{ type: 'ProxyClassReady', status: 'True', observedGeneration }],
  })
  const spec = nodePorts({ port: 30_000, endPort: 30_010 })
  const older = { creationTimestamp: '2026-01-01T00:00:00Z' }
  const younger = { creationTimestamp: '2026-01-02T00:00:00Z' }

  test.each([
    ['the one that is ready has them, though it is younger', proxyClass('b', spec, younger, ready()), older, {}, true],
    ['one that is not ready has none', proxyClass('b', spec, older), younger, {}, false],
    [
      'nor has one that has changed since',
      proxyClass('b', spec, { ...older, generation: 2 }, ready()),
      younger,
      {},
      false,
    ],
    ['of two that are ready, the older one has them', proxyClass('b', spec, older, ready()), younger, ready(), true],
    ['and the younger one has not', proxyClass('b', spec, younger, ready()), older, ready(), false],
    ['other ports are no matter', proxyClass('b', nodePorts({ port: 30_011 }), older, ready()), younger, {}, false],
  ])('%s', (_title, other, metadata, status, isRefused) => {
    const problem = problemOf(proxyClass('a', spec, metadata, status), other)
    expect(problem?.includes('ProxyClass "b" has 30000-30010 already') ?? false).toBe(isRefused)
  })
})

it('a class that sets variables of the agent gets a Warning', () => {
  const object = proxyClass('a', container({ env: [{ name: 'TS_X', value: '1' }, { name: 'MINE' }] }))
  expect(kind.judge(object, worldOf()).events).toEqual([
    { type: 'Warning', reason: 'CustomTSEnvVar', message: expect.stringContaining(': TS_X.') },
  ])
})

describe('a class as proxies use it', () => {
  it('has the defaults', () => {
    expect(resolveClass('a', worldOf(proxyClass('a', {})))).toEqual({
      name: 'a',
      agent: undefined,
      acceptRoutes: false,
      isStaging: false,
      metrics: false,
      debug: false,
      staticEndpoints: undefined,
      serviceMonitor: undefined,
      overlay: expect.any(Function),
    })
  })

  it('has what it sets', () => {
    const spec: ProxyClassSpec = {
      metrics: { enable: true, serviceMonitor: { enable: true, labels: { a: 'b' } } },
      tailscale: { acceptRoutes: true },
      useLetsEncryptStagingEnvironment: true,
    }
    const object = proxyClass('a', spec, { annotations: { 'culvert/agent': 'upstream' } })
    expect(resolveClass('a', worldOf(object, serviceMonitors))).toMatchObject({
      agent: 'upstream',
      acceptRoutes: true,
      isStaging: true,
      metrics: true,
      debug: true,
      staticEndpoints: undefined,
      serviceMonitor: { labels: { a: 'b' } },
    })
  })

  it('has no debug endpoint with metrics if it says so', () => {
    const spec = { ...container({ debug: { enable: false } }), metrics: { enable: true } }
    expect(resolveClass('a', worldOf(proxyClass('a', spec)))).toMatchObject({ metrics: true, debug: false })
  })

  it('is not ready if it does not exist, or is invalid', () => {
    expect(resolveClass('b', worldOf(proxyClass('a', {})))).toEqual({ notReady: 'ProxyClass "b" does not exist' })
    expect(resolveClass('a', worldOf(proxyClass('a', container({ image: 'A B' }))))).toEqual({
      notReady: expect.stringContaining('ProxyClass "a" is invalid: spec.statefulSet.pod.tailscaleContainer.image'),
    })
  })
})
