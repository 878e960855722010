import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { lineOf } from '../../../lib/finding.ts'
import { judgePredecessor, type Predecessor } from '../../../operator/migrate/predecessor.ts'

type Texts = Readonly<Record<string, string>>

const deployment = (replicas: number | undefined, env: Texts, status: object = {}): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'operator', namespace: 'tailscale' },
  spec: {
    replicas,
    template: { spec: { containers: [{ env: Object.entries(env).map(([name, value]) => ({ name, value })) }] } },
  },
  status,
})
const theirs = { OPERATOR_INITIAL_TAGS: 'tag:k8s-operator', APISERVER_PROXY: 'false' }
const object = (kind: string, spec: object = {}): KubeObject => ({
  apiVersion: 'tailscale.com/v1alpha1',
  kind,
  metadata: { name: 'one' },
  spec,
})

const lines = (found: Partial<Predecessor>): readonly string[] =>
  judgePredecessor({
    namespace: 'tailscale',
    deployments: { value: [deployment(0, theirs)] },
    objects: { value: [] },
    operatorId: { value: undefined },
    apiServerProxy: undefined,
    ...found,
  }).map(lineOf)

describe('Tailscale’s operator', () => {
  it('is stopped, or has no Deployment any more', () => {
    const [stopped] = lines({})
    expect(stopped).toBe(
      'ok predecessor: Tailscale’s operator is stopped: the Deployment tailscale/operator has no replicas',
    )
    for (const value of [[], [deployment(2, { CULVERT_CONCURRENCY: '4' })]])
      expect(lines({ deployments: { value } })[0]).toMatch(/^ok predecessor: .* has no Deployment in .* tailscale$/)
  })

  it.each([
    [deployment(1, theirs), 1],
    [deployment(undefined, theirs), 1],
    [deployment(0, theirs, { replicas: 1 }), 1],
  ])('still runs, and how to stop it is told', (one, count) => {
    expect(lines({ deployments: { value: [one] } })[0]).toMatch(
      new RegExp(`^error predecessor: .*still runs.* has ${count} replicas.*kubectl scale deployment operator`),
    )
  })

  it.each([
    [{ APISERVER_PROXY: 'true' }, undefined, /^error .* to have none\. Set apiServerProxyConfig\.mode to "true" in/],
    [
      { APISERVER_PROXY: 'noauth' },
      undefined,
      /^error .* to have none\. Set apiServerProxyConfig\.mode to "noauth" in/,
    ],
    [{ AUTH_PROXY: 'true' }, undefined, /^error /],
    [{ APISERVER_PROXY: 'true' }, 'auth', /^ok .*, and so will this operator have one, as east$/],
    [{ APISERVER_PROXY: 'true' }, 'noauth', /^warning .* in the mode auth, .* to have one in the mode noauth\. Set/],
  ] as const)('is a proxy of the API server: %j, and this one %s', (more, mode, expected) => {
    const apiServerProxy = mode && { mode, hostname: 'east', tags: [] }
    const found = lines({ deployments: { value: [deployment(0, { ...theirs, ...more })] }, apiServerProxy })[1]
    expect(found).toMatch(/^\w+ api-server-proxy: /)
    expect(found).toMatch(expected)
  })

  it('is not ours, which may have the same variable', () => {
    const { metadata, ...rest } = deployment(2, theirs)
    const ours = { ...rest, metadata: { ...metadata, labels: { 'app.kubernetes.io/name': 'culvert' } } }
    expect(lines({ deployments: { value: [ours] } })[0]).toMatch(/^ok predecessor: .* has no Deployment/)
  })

  it('may run, as far as is known', () => {
    expect(lines({ deployments: { error: new Error('forbidden') } })[0]).toMatch(
      /^error predecessor: whether it runs is not known: forbidden/,
    )
  })
})

describe('what is not managed here', () => {
  it.each([object('DNSConfig'), object('Tailnet'), object('PeerRelay'), object('ProxyGroupPolicy')])(
    'stops the migration: $kind',
    (one) => {
      expect(lines({ objects: { value: [one, object('ProxyGroup', { type: 'egress' })] } })).toContainEqual(
        expect.stringMatching(new RegExp(`^error kinds: this operator does not manage: ${one.kind} one\\. `)),
      )
    },
  )

  it('is not there', () => {
    const value = [object('ProxyGroup', { type: 'egress' })]
    expect(lines({ objects: { value } })).toContainEqual(expect.stringMatching(/^ok kinds: /))
  })
})

describe.each(['ingress', 'kube-apiserver'])('the ID by which Tailscale Services of the type %s are owned', (type) => {
  const objects = { value: [object('ProxyGroup', { type })] }

  it('goes on being that of Tailscale’s operator', () => {
    expect(lines({ objects, operatorId: { value: 'n1CNTRL' } })).toContainEqual(
      expect.stringMatching(/^ok operator-id: .* as n1CNTRL/),
    )
  })

  it('is not known, which matters only with such groups', () => {
    expect(lines({ objects })).toContainEqual(expect.stringMatching(/^warning operator-id: .*OPERATOR_SECRET/))
    expect(lines({})).not.toContainEqual(expect.stringMatching(/operator-id/))
  })
})
