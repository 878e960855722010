import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { type Bed, startBed } from '../../lab/bed.ts'
import { ask, startEcho } from '../../lab/traffic/traffic.ts'
import { printLogsOnFailure } from '../../lab/vitest.ts'
import { type Environment, onDisk, Proxy } from '../proxy.ts'

// Targets that egress refuses because the address is in use locally; the other families and services go on.
const hosts = {
  db: { network: 'wan', tailscaled: true },
  router: { network: 'wan', tailscaled: { up: ['--advertise-routes=10.98.0.1/32,10.98.0.77/32,10.99.0.1/32'] } },
  proxy: { network: 'cluster' },
  app: { network: 'cluster' },
} as const

let bed: Bed<keyof typeof hosts>
let db: { v4: string; v6: string }
beforeAll(async () => {
  bed = await startBed({ hosts })
  const { addresses, fqdn } = await bed.control.node('db')
  expect(fqdn).toBe('db.lab.ts.net')
  const [v4 = '', v6 = ''] = ['.', ':'].map((sign) => addresses.find((address) => address.includes(sign)))
  db = { v4, v6 }
  await bed.control.patchNode('router', { routes: ['10.98.0.1/32', '10.98.0.77/32', '10.99.0.1/32'] })
  await startEcho(bed.host('db'))
})
afterAll(() => bed.down())
beforeEach(() => printLogsOnFailure(bed))

const started = async (env: Environment): Promise<Proxy> =>
  Proxy.ready(bed, {
    KUBERNETES_SERVICE_HOST: '10.98.0.1',
    TS_KUBE_SECRET: '',
    POD_IP: '10.98.0.10',
    POD_IPS: '10.98.0.10,fd98::10',
    ...env,
    TS_AUTHKEY: await bed.authKey(),
    TS_EXTRA_ARGS: `--login-server=${bed.controlUrl} --accept-routes`,
  })

it.each([
  ['the Pod itself', { TS_TAILNET_TARGET_IP: '10.98.0.10' }, '10.98.0.10 is this Pod’s own address'],
  ['the Pod itself by IPv6', { TS_TAILNET_TARGET_IP: 'fd98::10' }, 'fd98::10 is this Pod’s own address'],
  ['the node itself', { TS_TAILNET_TARGET_FQDN: 'proxy.lab.ts.net' }, 'proxy.lab.ts.net. is this node itself'],
  ['the Kubernetes API', { TS_TAILNET_TARGET_IP: '10.98.0.1' }, '10.98.0.1 is the Kubernetes API'],
  ['the resolver', { TS_TAILNET_TARGET_IP: '10.99.0.1' }, '10.99.0.1 is a resolver of /etc/resolv.conf'],
  [
    'a host of the Pod’s network',
    { TS_TAILNET_TARGET_IP: '10.98.0.77' },
    '10.98.0.77 is in 10.98.0.0/24, the network of eth0',
  ],
  ['a loopback address', { TS_TAILNET_TARGET_IP: '127.0.0.1' }, '127.0.0.1 is a loopback address'],
] as const)('%s: refused, and said', async (_name, env, reason) => {
  await using proxy = await started(env)
  const { ready, checks, egress } = await proxy.until(({ notReady }) => notReady.join().includes(reason))
  expect([ready, checks['forwarding']?.state]).toEqual([false, 'waiting'])
  expect(egress).toMatchObject({ addresses: [], problems: [expect.stringContaining(reason)] })
  await expect.poll(() => proxy.lines.join('\n')).toContain(`warning: ${reason}`)
  await expect(ask(bed.host('app'), { to: '10.98.0.10', protocol: 'tcp' })).rejects.toThrow('ECONNREFUSED')
})

it('the node’s own address: refused and reported', async () => {
  const first = await started({ ...onDisk, TS_TAILNET_TARGET_IP: db.v4 })
  const own = await first.own()
  await first.process.stop()
  for (const address of [own.v4, own.v6]) {
    await using proxy = await started({ ...onDisk, TS_TAILNET_TARGET_IP: address })
    await proxy.until(({ notReady }) => notReady.join().includes(`${address} is this node’s own address`))
  }
})

it('a node whose address is in the network of a device of the Pod: forwarded, with a warning', async () => {
  const proxy = bed.host('proxy')
  const overlap = `${db.v4.replace(/\d+$/, '250')}/24`
  await proxy.exec(['ip', 'link', 'add', 'net1', 'type', 'veth', 'peer', 'name', 'net2'])
  await proxy.exec(['ip', 'address', 'add', overlap, 'dev', 'net1'])
  for (const end of ['net1', 'net2']) await proxy.exec(['ip', 'link', 'set', end, 'up'])
  try {
    await using agent = await started({ TS_TAILNET_TARGET_FQDN: 'db.lab.ts.net' })
    const { egress } = await agent.until(({ ready }) => ready)
    const warning = `${db.v4} of the tailnet is also in ${overlap.replace('250', '0')}, the network of net1`
    expect(egress?.problems).toEqual([expect.stringContaining(warning)])
    await agent.process.line(new RegExp(`warning: ${warning}`))
    for (const to of ['10.98.0.10', 'fd98::10']) {
      expect(await ask(bed.host('app'), { to, protocol: 'tcp' })).toMatchObject({ host: 'db' })
    }
  } finally {
    await proxy.exec(['ip', 'link', 'del', 'net1'])
  }
})
