import { describe, expect, it } from 'vitest'
import { forwardingKey } from '../../../agent/forwarding/reconciler.ts'
import { difference } from '../../../agent/state-secret/others.ts'
import { planStateSecret } from '../../../agent/state-secret/reconciler.ts'
import type { World } from '../../../agent/world/world.ts'
import { parseIngressServices } from '../../../wire/ingress-services.ts'
import { aWorld, self } from '../a-world.ts'

const env = {
  TS_USERSPACE: 'false',
  TS_DEST_IP: '10.0.0.9',
  KUBERNETES_SERVICE_HOST: '10.96.0.1',
  TS_KUBE_SECRET: 's',
  POD_UID: 'u1',
}
const stateSecret = { name: 's', access: { patch: true, create: false } }
const inPod = (change: Partial<World> = {}, more: object = {}): World =>
  aWorld({ stateSecret, ...change }, { ...env, ...more })
const base = { tailscale_capver: '142', pod_uid: 'u1' }
const device = { device_fqdn: 'p.lab.ts.net.', device_ips: '["100.64.0.1"]' }

describe('the desired keys of the Secret', () => {
  it.each<[string, World, object | undefined]>([
    ['outside of a Pod', aWorld({ stateSecret }), undefined],
    [
      'without permission to patch',
      inPod({ stateSecret: { name: 's', access: { patch: false, create: true } } }),
      undefined,
    ],
    ['before the Secret has been read', inPod({ stateSecret: { name: 's' } }), undefined],
    ['all in place', inPod(), { ...base, device_id: 'n1', ...device }],
    [
      'a recorded capability version',
      inPod({ capability: { recorded: 113 } }),
      { ...base, tailscale_capver: '113', device_id: 'n1', ...device },
    ],
    [
      'tailscaled’s own capability version',
      inPod({ capability: { recorded: 113, own: 148 } }),
      { ...base, tailscale_capver: '148', device_id: 'n1', ...device },
    ],
    ['without a UID', inPod({}, { POD_UID: '' }), { tailscale_capver: '142', device_id: 'n1', ...device }],
    ['before the node is known', inPod({ tailnet: { watching: false, noSnat: false, health: new Map() } }), base],
    ['before the rules are in place', inPod({ reports: {} }), { ...base, device_id: 'n1' }],
    [
      'with rules that are refused',
      inPod({ reports: { [forwardingKey.name]: { desired: {}, repairs: 0, failures: 0, error: 'nft failed' } } }),
      { ...base, device_id: 'n1' },
    ],
    [
      'without anything to forward',
      inPod({ reports: {} }, { TS_DEST_IP: '' }),
      { ...base, device_id: 'n1', ...device },
    ],
    [
      'while another auth key is waited for',
      inPod({ reissue: { refusedKey: '', reason: 'x' } }),
      { ...base, device_id: 'n1', ...device, reissue_authkey: '' },
    ],
    [
      'after certificate requests failed',
      inPod({
        certificates: { reports: new Map(), memory: new Map([['a.ts.net', { failures: 1, notBefore: 0 }]]) },
      }),
      {
        ...base,
        device_id: 'n1',
        ...device,
        'culvert-certificates':
          '{"version":1,"domains":{"a.ts.net":{"failures":1,"notBefore":"1970-01-01T00:00:00.000Z"}}}',
      },
    ],
  ])('%s', (_name, world, desired) => {
    expect(planStateSecret(world)).toEqual(desired)
  })

  it('has the Tailscale Services that the tailnet lets the node host, in an ingress group', () => {
    const hosting = { tailnet: { ...inPod().tailnet, hosted: ['svc:b', 'svc:a'] } }
    const mounted = { ingressServices: { content: parseIngressServices(Buffer.from('{}')) } }
    const group = {
      TS_DEST_IP: '',
      TS_INGRESS_PROXIES_CONFIG_PATH: '/etc/proxies/ingress-config.json',
      POD_IPS: '10.0.0.5',
    }
    expect(planStateSecret(inPod({ ...hosting, mounted }, group))).toMatchObject({
      'culvert-hosted': '["svc:a","svc:b"]',
    })
    expect(planStateSecret(inPod(hosting))).not.toHaveProperty('culvert-hosted')
  })

  it('has device_fqdn with one trailing dot', () => {
    const named = (name: string) => planStateSecret(inPod({ tailnet: { ...inPod().tailnet, self: { ...self, name } } }))
    expect(named('a.b.')).toMatchObject({ device_fqdn: 'a.b.' })
    expect(named('a.b')).toMatchObject({ device_fqdn: 'a.b.' })
  })

  it('has the addresses of both families in the node’s order', () => {
    const addresses = [...self.addresses, { family: 6 as const, text: 'fd7a:115c:a1e0::1' }]
    const world = inPod({ tailnet: { ...inPod().tailnet, self: { ...self, addresses } } })
    expect(planStateSecret(world)).toMatchObject({ device_ips: '["100.64.0.1","fd7a:115c:a1e0::1"]' })
  })
})

it('writes only keys that differ', () => {
  const data = new Map([
    ['same', Buffer.from('a')],
    ['other', Buffer.from('b')],
    ['foreign', Buffer.from('c')],
  ])
  expect(difference(data, { same: 'a', other: 'B', absent: '' })).toEqual(
    new Map([
      ['other', 'B'],
      ['absent', ''],
    ]),
  )
})
