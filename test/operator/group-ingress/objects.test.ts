import { join } from 'node:path'
import { expect, test } from 'vitest'
import { stringify } from 'yaml'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { askOf } from '../../../operator/group-ingress/ask.ts'
import { certificateRights, emptySecret } from '../../../operator/group-ingress/certificate.ts'
import { ingressUse } from '../../../operator/group-ingress/ingress-use.ts'
import { claim } from '../../../operator/group-ingress/owners.ts'
import { requestOf } from '../../../operator/group-ingress/request.ts'
import { ingressClass, settings } from '../a-world.ts'
import { app, certificate, db, endpoints, mapping, recordFor, replica, site, viewOf } from './a-group.ts'

test('what is made for an Ingress and a Service of a group is as it was', async () => {
  const wiki = app({}, { 'tailscale.com/http-endpoint': 'enabled' })
  const records = [recordFor('ingress', 'app'), recordFor('svc', 'db', { former: ['before'] })]
  const view = viewOf(
    wiki,
    db(),
    site,
    endpoints('db', true),
    certificate('pem'),
    ...records,
    ...replica('group-0', { forwarded: { 'svc:db': mapping } }),
  )
  const parent = { type: 'ingress', namespace: 'apps', name: 'app' } as const
  const made = {
    fqdn: 'app.example.ts.net',
    parent,
    group: 'group',
    accounts: ['group', 'before'],
    namespace: settings.namespace,
  }
  const files = Object.entries(ingressUse.files(view)).map(([name, text]) => [name, JSON.parse(String(text))] as const)
  const identity = { operatorId: 'nABC', former: [], place: 'uid-1/tailscale' }
  const wished = [wiki, db()].map((object) => claim(undefined, requestOf(object, view.world, settings).wish, identity))
  const all = {
    files: Object.fromEntries(files),
    device: ingressUse.device?.(view, 0),
    'Tailscale Services': wished,
    objects: [...records, emptySecret(made), ...certificateRights(made)],
  }
  const golden = join(import.meta.dirname, '../golden/group-ingress-uses.yaml')
  await expect(stringify(all, { aliasDuplicateObjects: false, singleQuote: true, lineWidth: 0 })).toMatchFileSnapshot(
    golden,
  )
})

const reasonsOf = (...objects: readonly KubeObject[]) => {
  const view = viewOf(...objects, ingressClass('tailscale.com/ts-ingress'))
  return requestOf(objects[0]!, view.world, settings).events.map(({ reason, message }) => `${reason}: ${message}`)
}

test('the user is told what has no effect', () => {
  const funnel = { 'tailscale.com/funnel': 'true', 'tailscale.com/proxy-class': 'x' }
  expect(reasonsOf(app({}, funnel), site)).toEqual([
    'InvalidIngressConfiguration: without effect, since a ProxyGroup serves it: tailscale.com/funnel, tailscale.com/proxy-class',
  ])
  expect(reasonsOf(app({ tls: [{ hosts: ['app', 'other'] }] }), site)).toEqual([
    'InvalidIngressConfiguration: it has one name, that of the first host in spec.tls, "app"',
  ])
  expect(reasonsOf(app())).toEqual([
    expect.stringMatching(/^InvalidIngressBackend/),
    'NoValidBackends: no path has a backend, so nothing is served',
  ])
  expect(reasonsOf(db({ 'culvert/proxy-protocol': '2' }))).toEqual([
    'INVALIDSERVICE: without effect, since a ProxyGroup serves it: culvert/proxy-protocol',
  ])
  const ports = [{ port: 80 }, { port: 9, protocol: 'SCTP' }]
  expect(reasonsOf(db({}, { ports }))).toEqual([
    'INVALIDSERVICE: not forwarded: sctp/9: only TCP and UDP can be forwarded',
  ])
})

const many = Array.from({ length: 700 }, (_, index) => ({
  path: `/${'x'.repeat(80)}${index}`,
  backend: { service: { name: 'site', port: { number: 80 } } },
}))
const large = app({ rules: [{ http: { paths: many } }] })

test.each([
  ['a headless Service', db({}, { clusterIP: 'None', clusterIPs: ['None'] }), /no cluster IP/],
  ['a Service of SCTP', db({}, { ports: [{ port: 9, protocol: 'SCTP' }] }), /no port that could be forwarded: sctp\/9/],
  ['a name that no node can have', db({ 'tailscale.com/hostname': 'a.b' }), /hostname must be/],
  ['tags that are none', db({ 'tailscale.com/tags': 'k8s' }), /tags must be/],
  [
    'an Ingress with too many paths',
    large,
    /its paths and backends take \d+ KiB, and a ProxyGroup has 64 KiB for each/,
  ],
  ['an Ingress of a name that is none', app({ tls: [{ hosts: ['a_b'] }] }), /cannot have the name/],
])('%s is refused', (_what, object, message) => {
  expect(() => requestOf(object, viewOf(object, site).world, settings)).toThrow(message)
})

test.each(['tailscale.com/tailnet-fqdn', 'tailscale.com/tailnet-ip', 'tailscale.com/ts-tailnet-target-ip'])(
  'a Service with the target %s is led there, and not exposed',
  (annotation) => {
    const { metadata, ...service } = db()
    const annotations = { ...metadata.annotations, 'tailscale.com/expose': 'true' }
    const exposed = { ...service, metadata: { ...metadata, annotations }, spec: { type: 'ExternalName' } }
    expect(askOf(exposed, settings)).toBeDefined()
    const led = { ...exposed, metadata: { ...metadata, annotations: { ...annotations, [annotation]: 'a' } } }
    expect(askOf(led, settings)).toBeUndefined()
  },
)
