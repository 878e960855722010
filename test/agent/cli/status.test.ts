import { expect, it } from 'vitest'
import { renderStatus, type StatusAnswer } from '../../../agent/cli/status.ts'
import { statusView } from '../../../agent/status/status.ts'
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
const shown = (world: ReturnType<typeof aWorld>): string =>
  renderStatus(
    statusView(world, { version: '1.2.3', since: () => undefined, now: new Date(0) }) as unknown as StatusAnswer,
  )

it('shows where egress leads', () => {
  expect(shown(aWorld({ tailnet: tailnet(peers) }, egress))).toContain(
    'egress, db.lab.ts.net.: to 100.64.0.9, all ports but udp . 41641\n',
  )
})

it('and why it leads nowhere', () => {
  expect(shown(aWorld({ tailnet: tailnet(noPeers) }, egress))).toMatch(
    /^egress, db\.lab\.ts\.net\.: ! nowhere\n {2}! nothing is called db\.lab\.ts\.net\./m,
  )
})

it('shows what a name leads to, and why not to more', () => {
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

it('says which Tailscale Services come to other nodes, or to none', () => {
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

it('names the services with problems, and counts the others', () => {
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
