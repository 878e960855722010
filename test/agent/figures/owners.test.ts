import { expect, it } from 'vitest'
import { countedModes, ownersOf } from '../../../agent/figures/owners.ts'
import { targetPeers } from '../../../agent/figures/peers.ts'
import { type Environment, readSettings } from '../../../agent/settings/read.ts'
import { parseEgressServices } from '../../../wire/egress-services.ts'
import { parseIngressServices } from '../../../wire/ingress-services.ts'
import { aWorld } from '../a-world.ts'
import { aPeer, peersOf } from '../targets/peers.ts'

const l3Ingress = { TS_USERSPACE: 'false', TS_DEST_IP: '10.0.0.9' }
const l3Egress = { TS_USERSPACE: 'false', TS_TAILNET_TARGET_FQDN: 'db.lab.ts.net' }
const inKubernetes = { TS_USERSPACE: 'false', KUBERNETES_SERVICE_HOST: '10.96.0.1' }
const groupEgress = { ...inKubernetes, TS_EGRESS_PROXIES_CONFIG_PATH: '/etc/proxies' }
const groupIngress = { ...inKubernetes, TS_INGRESS_PROXIES_CONFIG_PATH: '/etc/proxies/x.json' }
const peers = peersOf(aPeer('db.lab.ts.net.', ['100.64.0.9']), aPeer('router.lab.ts.net.', [], ['10.7.0.0/16']))
const tailnet = { ...aWorld().tailnet, peers }
const [off, device] = [undefined, 'tailscale0']

it.each<[string, Environment, object | undefined]>([
  ['L3 ingress', l3Ingress, { device, ingress: true, egress: off, unmapped: false }],
  ['L3 egress', l3Egress, { device, ingress: false, egress: 'together', unmapped: false }],
  ['a group for egress', groupEgress, { device, ingress: false, egress: 'by-port', unmapped: false }],
  ['a group for ingress', groupIngress, { device, ingress: true, egress: off, unmapped: true }],
  ['both', { ...groupIngress, ...groupEgress }, { device, ingress: true, egress: 'by-port', unmapped: true }],
  [
    'egress and a target for the rest',
    { ...groupEgress, ...l3Egress },
    { device, ingress: false, egress: 'together', unmapped: false },
  ],
  ['ingress without privilege', { TS_DEST_IP: '10.0.0.9', CULVERT_DEST_PORTS: 'tcp/80', TS_USERSPACE: 'true' }, off],
  ['neither', { TS_USERSPACE: 'false' }, off],
])('of %s, what rules forward is counted', (_what, env, modes) => {
  expect(countedModes(readSettings(env).settings)).toEqual(modes)
})

const owned = (world: ReturnType<typeof aWorld>) =>
  Object.fromEntries([...ownersOf(world)].map(([place, { kind, service }]) => [place, `${kind} ${service}`]))

it('what is sent to the node, and to the Pod, belongs to the target', () => {
  expect(owned(aWorld({}, l3Ingress))).toEqual({ '100.64.0.1': 'ingress node' })
  expect(owned(aWorld({ tailnet }, l3Egress))).toEqual({ IPv4: 'egress db.lab.ts.net.' })
})

it('what is sent to a port of a group, or to a Tailscale Service, belongs to its service', () => {
  const ports = [{ protocol: 'tcp', matchPort: 10_000, targetPort: 1 }]
  const entries = { db: { tailnetTarget: { fqdn: 'db.lab.ts.net' }, ports } }
  const egressServices = { content: parseEgressServices(Buffer.from(JSON.stringify(entries))) }
  const world = aWorld({ tailnet, mounted: { egressServices } }, groupEgress)
  expect(owned(world)).toEqual({ 'IPv4 tcp/10000': 'egress db' })
  const web = { 'svc:web': { IPv4Mapping: { TailscaleServiceIP: '100.99.1.1', ClusterIP: '10.0.0.1' } } }
  const ingressServices = { content: parseIngressServices(Buffer.from(JSON.stringify(web))) }
  expect(owned(aWorld({ mounted: { ingressServices } }, groupIngress))).toEqual({
    '100.99.1.1': 'ingress svc:web',
    unmapped: 'ingress (unmapped)',
  })
})

it('nothing belongs to anybody before there are rules', () => {
  expect(owned(aWorld({ reports: { other: undefined! } }, l3Ingress))).toEqual({})
})

it('the peers of targets are these themselves, or who routes to them', () => {
  const target = (ip: string, acceptsRoutes = false) => [
    ...targetPeers(
      aWorld({ tailnet: { ...tailnet, acceptsRoutes } }, { TS_USERSPACE: 'false', TS_TAILNET_TARGET_IP: ip }),
    ),
  ]
  expect(target('100.64.0.9')).toEqual(['db.lab.ts.net.'])
  expect(target('10.7.0.1', true)).toEqual(['router.lab.ts.net.'])
  expect([...targetPeers(aWorld({}, l3Ingress))]).toEqual([])
})
