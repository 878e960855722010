import { expect, it } from 'vitest'
import { renderStatus, type StatusAnswer } from '../../../agent/cli/status.ts'
import { noAccounts } from '../../../agent/figures/accounts.ts'
import type { Figures } from '../../../agent/figures/figures.ts'
import { statusView } from '../../../agent/status/status.ts'
import { noCounts } from '../../../netfilter/traffic.ts'
import { noPeers, type Peers } from '../../../localapi/peers.ts'
import { parseEgressServices } from '../../../wire/egress-services.ts'
import { parseIngressServices } from '../../../wire/ingress-services.ts'
import { aWorld } from '../a-world.ts'
import { aPeer, peersOf } from '../targets/peers.ts'

const egress = { TS_USERSPACE: 'false', TS_TAILNET_TARGET_FQDN: 'db.lab.ts.net' }
const group = {
  TS_USERSPACE: 'false',
  TS_EGRESS_PROXIES_CONFIG_PATH: '/etc/proxies',
  KUBERNETES_SERVICE_HOST: '10.96.0.1',
}
const peers = peersOf(aPeer('db.lab.ts.net.', ['100.64.0.9']))
const tailnet = (known: Peers) => ({ ...aWorld().tailnet, peers: known })
const shown = (world: ReturnType<typeof aWorld>, figures: Figures = {}): string => {
  const status = statusView(world, { version: '1.2.3', since: () => undefined, now: new Date(0), figures })
  return renderStatus(JSON.parse(JSON.stringify(status)) as StatusAnswer)
}

it('shows the target of egress', () => {
  expect(shown(aWorld({ tailnet: tailnet(peers) }, egress))).toContain(
    'egress, db.lab.ts.net.: to 100.64.0.9, all ports but udp . 41641\n',
  )
})

it('shows why egress has no target', () => {
  expect(shown(aWorld({ tailnet: tailnet(noPeers) }, egress))).toMatch(
    /^egress, db\.lab\.ts\.net\.: ! nowhere\n {2}! nothing is called db\.lab\.ts\.net\./m,
  )
})

it('shows the addresses of a name, and its problems', () => {
  const env = { TS_USERSPACE: 'false', TS_EXPERIMENTAL_DEST_DNS_NAME: 'db.test' }
  expect(shown(aWorld({}, env))).toContain('name db.test: ! not resolved yet\n')
  const destination = {
    addresses: [{ family: 4 as const, text: '10.0.0.9' }],
    left: [],
    refused: [],
    resolved: { as: 'db.test.', at: new Date(0) },
    nextAt: new Date(30_000),
    failures: 1,
    problem: 'db.test. does not exist (NXDOMAIN)',
  }
  expect(shown(aWorld({ destination }, env))).toContain(
    'name db.test: 1 addresses, resolved at 1970-01-01T00:00:00.000Z, again at 1970-01-01T00:00:30.000Z\n' +
      '  ! db.test. does not exist (NXDOMAIN)\n',
  )
})

it('shows which Tailscale Services other nodes host, or none', () => {
  const mapping = (address: string) => ({ IPv4Mapping: { TailscaleServiceIP: address, ClusterIP: '10.0.0.1' } })
  const services = { 'svc:here': mapping('100.100.0.1'), 'svc:there': mapping('100.100.0.2') }
  const content = parseIngressServices(Buffer.from(JSON.stringify(services)))
  const env = { ...group, TS_EGRESS_PROXIES_CONFIG_PATH: '', TS_INGRESS_PROXIES_CONFIG_PATH: '/etc/proxies/x.json' }
  const text = (hosted?: string[]) =>
    shown(
      aWorld(
        { tailnet: { ...aWorld().tailnet, ...(hosted && { hosted }) }, mounted: { ingressServices: { content } } },
        env,
      ),
    )
  expect(text(['svc:here'])).toContain('services: 2 of 2 forwarded\n  not hosted here, or not yet: svc:there\n')
  expect(text()).not.toContain('not hosted')
})

it('names some services with problems, and counts the others', () => {
  const port = { protocol: 'tcp', matchPort: 10_000, targetPort: 1 }
  const services = {
    good: { tailnetTarget: { ip: '100.64.0.9' }, ports: [port] },
    lost: { tailnetTarget: { fqdn: 'gone.lab.ts.net' }, ports: [{ ...port, matchPort: 10_001 }] },
    wrong: { tailnetTarget: { ip: '100.64.0.9' }, ports: [{ ...port, matchPort: 0 }] },
  }
  const content = parseEgressServices(Buffer.from(JSON.stringify(services)))
  const text = shown(aWorld({ tailnet: tailnet(peers), mounted: { egressServices: { content } } }, group))
  expect(text).toContain('services: 1 of 2 forwarded\n')
  expect(text).toMatch(/^ {2}! lost: nothing is called gone\.lab\.ts\.net\./m)
  expect(text).toMatch(/^ {2}! egress-services, wrong, ports\[0\]\.matchPort: /m)
})

it('shows the busiest services first, and counts the others', () => {
  const account = (service: string, toBytes: number) =>
    [service, { kind: 'egress', service, named: true, counts: { ...noCounts, toBytes, connections: 2 } }] as const
  const services = new Map([
    account('slow', 1),
    account('busy', 3_000_000),
    ...Array.from({ length: 9 }, (_, index) => account(`idle-${index}`, 0)),
  ])
  const text = shown(aWorld(), {
    traffic: { since: new Date(0), problem: undefined, accounts: { ...noAccounts, services } },
  })
  expect(text).toContain(
    'traffic: counted since 1970-01-01T00:00:00.000Z\n' +
      '  egress busy: 2.9 MiB there, 0 B back, 2 connections, 0 refused\n' +
      '  egress slow: 1 B there, 0 B back, 2 connections, 0 refused\n',
  )
  expect(text).toContain('\n  and 1 more services: --json has all\n')
  const problem = 'iptables has no counters'
  expect(shown(aWorld(), { traffic: { since: undefined, problem, accounts: noAccounts } })).toContain(
    'traffic: ! not counted: iptables has no counters\n',
  )
})

it('shows what tailscaled warns about, and nothing in it that controls a terminal or begins a line', () => {
  const { tailnet: before } = aWorld()
  const health = new Map([['x', 'DERP \u001b[2Jis away\nculvert 1.2.3: ready']])
  const path = { path: 'derp', via: 'f\u009bra', lastHandshake: undefined } as const
  const text = shown(aWorld({ tailnet: { ...before, health } }), { peers: [{ ...path, name: 'db\u202e.' }] })
  expect(text).toContain('\n  ! it warns: DERP \\u001b[2Jis away\\u000aculvert 1.2.3: ready\n')
  expect(text).toContain('\npeer db\\u202e.: derp by f\\u009bra, no handshake yet\n')
})

it('shows how targets are reached, when the key expires, and dropped datagrams', () => {
  const { tailnet: before } = aWorld()
  const self = { ...before.self!, keyExpiry: new Date(0) }
  const at = new Date(1000)
  const text = shown(aWorld({ tailnet: { ...before, self } }), {
    peers: [
      { name: 'db.', path: 'derp', via: 'fra', lastHandshake: at },
      { name: 'web.', path: 'none', via: undefined, lastHandshake: undefined },
    ],
    udpErrors: { 4: { 'receive-buffer': 7, 'send-buffer': 0, checksum: 0 } },
  })
  expect(text).toContain('\nits key expires at 1970-01-01T00:00:00.000Z\n')
  expect(text).toContain(
    '\npeer db.: derp by fra, handshake at 1970-01-01T00:00:01.000Z\n' +
      'peer web.: idle, no handshake yet\n' +
      '! datagrams that the kernel dropped: IPv4 receive-buffer 7\n',
  )
})
