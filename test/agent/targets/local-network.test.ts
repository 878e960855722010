import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { addressesOf, followNetwork } from '../../../agent/targets/local-network.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'
import { aContext } from '../a-context.ts'
import { aWorld } from '../a-world.ts'

const rest = { netmask: '', mac: '', internal: false }
const v4 = (address: string, cidr: string | null) => ({ ...rest, family: 'IPv4' as const, address, cidr })
const v6 = (address: string, cidr: string | null) => ({ ...rest, family: 'IPv6' as const, address, cidr, scopeid: 0 })

it('addresses of all devices but the tunnel', () => {
  expect(
    addressesOf(
      {
        eth0: [v4('10.244.1.7', '10.244.1.7/24'), v6('fd00:10:244::7', 'fd00:10:244::7/64'), v4('10.9.9.9', null)],
        tailscale0: [v4('100.64.0.1', '100.64.0.1/32')],
        tailscale01: [v4('100.64.0.2', '100.64.0.2/32')],
        down: undefined,
      },
      'tailscale0',
    ).map(({ address, onLink, device }) => [device, address.text, onLink.text]),
  ).toEqual([
    ['eth0', '10.244.1.7', '10.244.1.0/24'],
    ['eth0', 'fd00:10:244::7', 'fd00:10:244::/64'],
    ['eth0', '10.9.9.9', '10.9.9.9/32'],
    ['tailscale01', '100.64.0.2', '100.64.0.2/32'],
  ])
})

let root: string
let endings: (() => void)[]
beforeEach(() => {
  endings = []
  root = mkdtempSync(join(tmpdir(), 'culvert-'))
  mkdirSync(join(root, 'etc'))
})
afterEach(() => {
  for (const end of endings) end()
  rmSync(root, { recursive: true })
})

/** Follows the network of a Pod whose files are in `root`; `look` resolves when it has looked once more. */
async function follow(...devices: [devices?: Parameters<typeof followNetwork>[1]]) {
  const clock = new VirtualClock()
  const env = { TS_USERSPACE: 'true', TS_TEST_ONLY_ROOT: root, KUBERNETES_SERVICE_HOST: 'fd00::1' }
  const { context, store, lines, stop } = aContext(aWorld({}, env), { clock })
  endings.push(() => stop.abort())
  await followNetwork(context, ...devices)
  const look = async (): Promise<void> => {
    await clock.next()
    // It waits again once all has been read.
    await expect.poll(() => clock.pending, { interval: 1 }).toBe(1)
  }
  return { store, lines, look }
}

it('is there at once, follows, and stays where a file cannot be read', async () => {
  const path = join(root, 'etc/resolv.conf')
  writeFileSync(path, 'nameserver 10.96.0.10\n')
  const { store, lines, look } = await follow()
  const first = store.world
  expect(first.network).toMatchObject({
    apiServer: [{ family: 6, text: 'fd00::1' }],
    resolvers: [{ family: 4, text: '10.96.0.10' }],
    addresses: expect.arrayContaining([expect.objectContaining({ device: 'lo' })]),
  })
  await look()
  await look()
  expect(store.world).toBe(first)

  writeFileSync(path, 'nameserver 10.96.0.11\n')
  await look()
  expect(store.world.network?.resolvers[0]?.text).toBe('10.96.0.11')
  writeFileSync(path, Buffer.alloc(1_000_000))
  for (let time = 0; time < 3; time += 1) {
    await look()
    expect(store.world.network?.resolvers[0]?.text).toBe('10.96.0.11')
    expect(lines).toEqual([expect.stringMatching(/resolv\.conf cannot be read: it has 1000000 bytes/)])
  }
  rmSync(path)
  await look()
  expect(store.world.network?.resolvers).toEqual([])
})

it('stays where the devices cannot be told, which is said once, and follows them when they can', async () => {
  let devices: () => ReturnType<typeof networkInterfaces> = () => ({ eth0: [v4('10.244.1.7', '10.244.1.7/24')] })
  const { store, lines, look } = await follow(() => devices())
  const addresses = (): string[] => store.world.network?.addresses.map(({ address }) => address.text) ?? []
  const failing = (): never => {
    throw new Error('uv_interface_addresses returned EMFILE')
  }
  const said = 'warning: the addresses of devices cannot be read: uv_interface_addresses returned EMFILE'
  expect(addresses()).toEqual(['10.244.1.7'])
  devices = failing
  writeFileSync(join(root, 'etc/resolv.conf'), 'nameserver 10.96.0.10\n')
  for (let time = 0; time < 3; time += 1) {
    await look()
    expect([addresses(), lines]).toEqual([['10.244.1.7'], [said]])
  }
  expect(store.world.network?.resolvers[0]?.text).toBe('10.96.0.10')
  devices = () => ({ eth0: [v4('10.244.1.8', '10.244.1.8/24')] })
  await look()
  expect([addresses(), lines]).toEqual([['10.244.1.8'], [said]])
  devices = failing
  await look()
  expect([addresses(), lines]).toEqual([['10.244.1.8'], [said, said]])
})

it('is known without the devices where they cannot be told at the start', async () => {
  const { store, lines } = await follow(() => {
    throw new Error('no more files')
  })
  expect(store.world.network).toEqual({ addresses: [], apiServer: [{ family: 6, text: 'fd00::1' }], resolvers: [] })
  expect(lines).toEqual([expect.stringMatching(/addresses of devices cannot be read: no more files/)])
})
