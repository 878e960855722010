import { expect, test } from 'vitest'
import { certificatesOf, type Replica, replicaChange } from './played-group.ts'
import { joined } from './played-state.ts'

const node = { id: 'n1', fqdn: 'a-0.lab.ts.net', addresses: ['100.64.0.1'], machineKey: 'privkey:0' }
const texts = { ...(joined(node) as Record<string, string>), 'cap-106.hujson': '{"AdvertiseServices":["svc:web"]}' }
const profile = JSON.stringify({
  Config: { NodeID: 'n1', UserProfile: { LoginName: 'a-0.lab.ts.net' } },
  addresses: ['100.64.0.1'],
  AdvertiseServices: ['svc:web'],
})
const podIPs = { v4: '10.88.0.1', v6: 'fd00:88::1' }
const port = { protocol: 'TCP', matchPort: 10000, targetPort: 5432 }
const db = { healthCheckEndpoint: '', tailnetTarget: { ip: '', fqdn: 'db.lab.ts.net' }, ports: [port] }
const egress: Replica = {
  env: { TS_EGRESS_PROXIES_CONFIG_PATH: '/etc/proxies' },
  files: { 'egress-services': JSON.stringify({ db }) },
  texts,
  podIPs,
}
const mapping = { IPv4Mapping: { TailscaleServiceIP: '100.99.0.1', ClusterIP: '10.96.0.1' } }
const ingress: Replica = {
  env: { TS_INGRESS_PROXIES_CONFIG_PATH: '/etc/proxies/ingress-config.json' },
  files: {
    'ingress-config.json': JSON.stringify({ 'svc:web': mapping }),
    'serve-config.json': JSON.stringify({
      Services: { 'svc:site': { Web: { 'site.lab.ts.net:443': {}, 'site.lab.ts.net:80': {} } } },
    }),
  },
  texts,
  podIPs,
}

test('a played replica reports what it forwards and advertises, once', () => {
  const services = { db: { ports: [port], tailnetTargetIPs: ['100.64.77.77'], tailnetTarget: db.tailnetTarget } }
  const status = JSON.stringify({ podIPv4: podIPs.v4, podIPv6: podIPs.v6, services })
  expect(replicaChange(egress, undefined)).toEqual({ 'egress-services': status, 'profile-0001': profile })
  const forwarding = JSON.stringify({ configs: { 'svc:web': mapping }, podIPv4: podIPs.v4, podIPv6: podIPs.v6 })
  const change = replicaChange(ingress, undefined)
  expect(change).toEqual({ 'ingress-config.json': forwarding, 'profile-0001': profile })
  const after = { ...ingress, texts: { ...texts, ...(change as Record<string, string>) } }
  expect(replicaChange(after, undefined)).toEqual({})
  expect(replicaChange(egress, 'not-forwarding')).toMatchObject({
    'egress-services': JSON.stringify({ podIPv4: podIPs.v4, podIPv6: podIPs.v6, services: null }),
  })
})

test('a played replica issues certificates for what is served with HTTPS', () => {
  expect(certificatesOf(ingress)).toEqual(['site.lab.ts.net'])
  expect(certificatesOf(egress)).toEqual([])
  const config = JSON.stringify({ APIServerProxy: { ServiceName: 'svc:k8s' } })
  const serve = JSON.stringify({ Services: { 'svc:k8s': {} } })
  const of = (files: Replica['files']) => certificatesOf({ ...ingress, files })
  expect(of({ 'config.hujson': config, 'serve-config.json': serve })).toEqual(['k8s.lab.ts.net'])
  expect(of({ 'config.hujson': config, 'serve-config.json': '{}' })).toEqual([])
})
