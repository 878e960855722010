import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import type { Refused } from '../../../operator/kind.ts'
import { joinedService } from '../../../operator/l7-ingress/joined-service.ts'
import { l7Ingress } from '../../../operator/l7-ingress/kind.ts'
import { labelsOf } from '../../../operator/objects/parent.ts'
import { ingress, ingressClass, service, settings, worldOf } from '../a-world.ts'

const finalizers = ['tailscale.com/finalizer']
const tls = (host: string) => ({ tls: [{ hosts: [host] }] })
const web = ingress('web', tls('app'))
const malformed = { annotations: { 'tailscale.com/tags': 'k8s' } }
const exposed = (name: string, spec = {}, annotations = {}, metadata = {}) =>
  service(name, spec, {
    annotations: { 'tailscale.com/expose': 'true', 'tailscale.com/hostname': 'app', ...annotations },
    ...metadata,
  })
const db = exposed('db', { ports: [{ port: 5432 }] })

const claims = (object: KubeObject, ...others: readonly KubeObject[]): boolean =>
  joinedService.claims(object, worldOf(object, ...others), settings)

const base64 = (text: string) => Buffer.from(text).toString('base64')
const parent = labelsOf({ type: 'ingress', namespace: 'apps', name: 'web' })
const child = (apiVersion: string, kind: string, fields: object): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name: 'ts-web-0', namespace: 'tailscale', labels: parent, uid: 'pod-1' },
  ...fields,
})
const state = child('v1', 'Secret', {
  data: {
    device_id: base64('n1'),
    device_fqdn: base64('app.example.ts.net.'),
    device_ips: base64('["100.64.0.1","fd7a::1"]'),
    pod_uid: base64('pod-1'),
    tailscale_capver: base64('142'),
  },
})
const pod = (status: 'True' | 'False') => child('v1', 'Pod', { status: { conditions: [{ type: 'Ready', status }] } })
const set: KubeObject = {
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name: 'ts-web', namespace: 'tailscale', labels: parent },
}
const up = [set, state, pod('True')]

const report = (object: KubeObject, others: readonly KubeObject[], refused?: Refused) =>
  joinedService.report(object, { devices: [], name: undefined, refused }, worldOf(object, ...others), settings)
const condition = (...args: Parameters<typeof report>) => {
  const [one] = report(...args).conditions
  return `${one?.status} ${one?.reason}: ${one?.message}`
}

describe('a Service joins the node of an Ingress', () => {
  it.each([
    ['with its hostname', db, [web], true],
    ['with its hostname in capitals', exposed('db', {}, { 'tailscale.com/hostname': 'APP' }), [web], true],
    [
      'with its default hostname',
      exposed('db', {}, { 'tailscale.com/hostname': '' }),
      [ingress('i', tls('apps-db'))],
      true,
    ],
    [
      'as a LoadBalancer of the class',
      service('db', { type: 'LoadBalancer', loadBalancerClass: 'tailscale' }),
      [ingress('i', tls('apps-db'))],
      true,
    ],
    ['not with another hostname', exposed('db', {}, { 'tailscale.com/hostname': 'db' }), [web], false],
    ['not if it is not exposed', service('db', {}, { annotations: { 'tailscale.com/hostname': 'app' } }), [web], false],
    ['not as a LoadBalancer of others', service('db', { type: 'LoadBalancer' }), [ingress('i', tls('apps-db'))], false],
    ['not of another namespace', db, [ingress('web', tls('app'), { namespace: 'other' })], false],
    ['not of one that is refused', db, [ingress('web', tls('app'), malformed)], false],
    [
      'of one that is refused now, and has a node',
      db,
      [ingress('web', tls('app'), { ...malformed, finalizers })],
      true,
    ],
    ['not of another class', db, [ingress('web', { ...tls('app'), ingressClassName: 'nginx' })], false],
    ['not of a group', db, [ingress('web', tls('app'), { annotations: { 'tailscale.com/proxy-group': 'pg' } })], false],
    ['not without a node of the Ingress', db, [ingress('web', tls('app'), { deletionTimestamp: 'x' })], false],
    ['not if it has a group itself', exposed('db', {}, { 'tailscale.com/proxy-group': 'pg' }), [web], false],
  ])('%s', (_what, object, others, expected) => expect(claims(object, ...others)).toBe(expected))
})

describe('a Service waits for the name', () => {
  const before = { loadBalancer: { ingress: [{ hostname: 'app.example.ts.net' }] } }

  it.each([
    ['while the Ingress is being deleted', ingress('web', tls('app'), { deletionTimestamp: 'x', finalizers }, before)],
    [
      'while the node of an Ingress has it that asks for another one',
      ingress('web', tls('new'), { finalizers }, before),
    ],
    [
      'while an Ingress of another class has its node',
      ingress('web', { ...tls('app'), ingressClassName: 'x' }, { finalizers }),
    ],
  ])('%s', (_what, other) => {
    expect(claims(db, other)).toBe(true)
    expect(condition(db, [other, ...up])).toBe(
      'False ProxyPending: waits until the node of Ingress "apps/web" gives up the name',
    )
  })

  it('and has a node of its own once it is given up', () => {
    expect(claims(db, ingress('web', tls('new'), { finalizers }, { loadBalancer: {} }))).toBe(false)
  })
})

describe('an Ingress that Services join', () => {
  const ours = ingressClass('tailscale.com/ts-ingress')
  const plan = (...others: readonly KubeObject[]) => l7Ingress.plan(web, worldOf(ours, web, ...others), settings)

  it('forwards their ports beside its sites, without privileges', () => {
    const { proxies } = plan(db, exposed('dns', { ports: [{ port: 53, protocol: 'UDP' }] }))
    expect(proxies).toMatchObject({
      mode: 'userspace',
      serveConfig: { TCP: { '5432': { TCPForward: '10.96.0.9:5432' } } },
      variables: [
        { name: 'TS_DEST_IP', value: '10.96.0.9' },
        { name: 'CULVERT_DEST_PORTS', value: 'udp/53' },
        { name: 'CULVERT_REQUEST_CERTIFICATE', value: 'true' },
      ],
      ownOptions: [],
    })
  })

  it('forwards no UDP if its class has Tailscale’s agent, whatever the operator’s settings say', () => {
    const of = (agent: string, given = settings) => {
      const metadata = { namespace: undefined, annotations: { 'culvert/agent': agent } }
      const proxyClass = {
        apiVersion: 'tailscale.com/v1alpha1',
        kind: 'ProxyClass',
        metadata: { name: 'c', ...metadata },
      }
      const asking = ingress('web', tls('app'), { labels: { 'tailscale.com/proxy-class': 'c' } })
      const dns = exposed('dns', { ports: [{ port: 53, protocol: 'UDP' }] })
      const world = worldOf(ours, asking, dns, proxyClass as unknown as KubeObject)
      return l7Ingress
        .plan(asking, world, given)
        .proxies?.variables.filter(({ name }) => name !== 'CULVERT_REQUEST_CERTIFICATE').length
    }
    expect([of('upstream'), of('culvert'), of('culvert', { ...settings, agent: 'upstream' })]).toEqual([0, 2, 2])
  })

  it('does not forward those of a Service that is being deleted, or that another Ingress with the name has', () => {
    const gone = exposed('gone', { ports: [{ port: 1 }] }, {}, { deletionTimestamp: 'x' })
    expect(plan(gone).proxies?.serveConfig).toEqual({})
    const other = ingress('second', tls('app'))
    expect(l7Ingress.plan(other, worldOf(web, other, db), settings).proxies?.serveConfig).toEqual({})
  })

  it('waits until the Service’s own node is gone, which has the name, unless its own node has it already', () => {
    const own = exposed('db', {}, {}, { finalizers })
    const named = (name: string) =>
      ingress(
        'web',
        tls('app'),
        { finalizers },
        { loadBalancer: { ingress: [{ hostname: `${name}.example.ts.net` }] } },
      )
    const plans = (object: KubeObject) => () => l7Ingress.plan(object, worldOf(ours, object, own), settings).proxies
    expect(plans(web)).toThrow(expect.objectContaining({ reason: 'NameInUse' }))
    expect(plans(named('old'))).toThrow(/Service "apps\/db" has a node with the same name/)
    expect(plans(named('app'))()?.hostnames).toEqual(['app'])
  })
})

describe('the condition of a Service that joined', () => {
  it('tells whose node it uses, and the ports', () => {
    expect(condition(db, [web, ...up])).toBe(
      'True ProxyCreated: uses the node of Ingress "apps/web", app.example.ts.net (100.64.0.1, fd7a::1), for tcp/5432',
    )
  })

  it.each([
    ['there is no node', []],
    ['the Pod is not ready', [set, state, pod('False')]],
    ['the Pod is another one', [set, state, { ...pod('True'), metadata: { ...pod('True').metadata, uid: 'pod-2' } }]],
  ])('is pending while %s', (_what, others) => {
    expect(condition(db, [web, ...others])).toBe(
      'False ProxyPending: waits for the node of Ingress "apps/web", which has the same name',
    )
  })

  it('names ports that are not forwarded, with the reason, and so does an Event', () => {
    const both = exposed('both', { ports: [{ port: 443 }, { port: 8443 }] })
    expect(condition(both, [web, ...up])).toBe(
      'False ProxyInvalid: not forwarded: tcp/443: taken by the Ingress; uses the node of Ingress "apps/web", app.example.ts.net (100.64.0.1, fd7a::1), for tcp/8443',
    )
    expect(joinedService.plan(both, worldOf(both, web), settings).events).toEqual([
      { type: 'Warning', reason: 'INVALIDSERVICE', message: 'not forwarded: tcp/443: taken by the Ingress' },
    ])
  })

  it('tells why it was refused', () => {
    const refused: Refused = { as: 'invalid', reason: 'INVALIDSERVICE', message: 'no' }
    expect(condition(db, [web, ...up], refused)).toBe('False ProxyInvalid: no')
  })
})

it('a LoadBalancer has the name and addresses of the node that it joined', () => {
  const balancer = exposed('db', { type: 'LoadBalancer', loadBalancerClass: 'tailscale' })
  expect(report(balancer, [web, ...up]).status).toEqual({
    loadBalancer: { ingress: [{ hostname: 'app.example.ts.net' }, { ip: '100.64.0.1' }, { ip: 'fd7a::1' }] },
  })
  expect(report(balancer, [web]).status).toEqual({ loadBalancer: {} })
  expect(report(db, [web, ...up]).status).toEqual({})
})

it('a Service that joined has no proxy, and is told which of its annotations have no effect', () => {
  const asked = exposed('db', {}, { 'tailscale.com/tags': 'tag:x', 'culvert/x': '' })
  const { proxies, events } = joinedService.plan(asked, worldOf(asked, web), settings)
  expect(proxies).toBeUndefined()
  expect(events.map(({ message }) => message)).toEqual([
    expect.stringContaining('there is no annotation "culvert/x"'),
    'without effect, since the node is that of an Ingress: tailscale.com/tags',
  ])
  expect(() => joinedService.plan(exposed('db', {}, { 'tailscale.com/tags': 'x' }), worldOf(web), settings)).toThrow(
    /tailscale.com\/tags/,
  )
})
