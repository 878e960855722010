import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { addressesOf, followNetwork, parseResolvers } from '../../../agent/targets/local-network.ts'
import { shortWaits } from '../../../agent/world/timings.ts'
import { createStore } from '../../../agent/world/world.ts'
import { aWorld } from '../a-world.ts'

it('addresses of all devices but the tunnel', () => {
  const rest = { netmask: '', mac: '', internal: false }
  const v4 = (address: string, cidr: string | null) => ({ ...rest, family: 'IPv4' as const, address, cidr })
  const v6 = (address: string, cidr: string | null) => ({ ...rest, family: 'IPv6' as const, address, cidr, scopeid: 0 })
  expect(
    addressesOf({
      eth0: [v4('10.244.1.7', '10.244.1.7/24'), v6('fd00:10:244::7', 'fd00:10:244::7/64'), v4('10.9.9.9', null)],
      tailscale0: [v4('100.64.0.1', '100.64.0.1/32')],
      tailscale01: [v4('100.64.0.2', '100.64.0.2/32')],
      down: undefined,
    }).map(({ address, onLink, device }) => [device, address.text, onLink.text]),
  ).toEqual([
    ['eth0', '10.244.1.7', '10.244.1.0/24'],
    ['eth0', 'fd00:10:244::7', 'fd00:10:244::/64'],
    ['eth0', '10.9.9.9', '10.9.9.9/32'],
    ['tailscale01', '100.64.0.2', '100.64.0.2/32'],
  ])
})

it.each<[string, string, string[]]>([
  ['a Pod’s', 'search default.svc.cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n', ['10.96.0.10']],
  [
    'several',
    ' nameserver\t10.0.0.1 # first\r\nnameserver fd00::A\nnameserver 10.0.0.2',
    ['10.0.0.1', 'fd00::a', '10.0.0.2'],
  ],
  ['none', '# nameserver 10.0.0.1\n;nameserver 10.0.0.2\nnameserver\nnameservers 10.0.0.3\nnameserver x\n', []],
  ['one with a zone', 'nameserver fe80::1%eth0\n', []],
])('resolvers: %s', (_name, text, expected) => {
  expect(parseResolvers(text).map((address) => address.text)).toEqual(expected)
})

let root: string
let ended: AbortController
beforeEach(() => {
  ended = new AbortController()
  root = mkdtempSync(join(tmpdir(), 'culvert-'))
  mkdirSync(join(root, 'etc'))
})
afterEach(() => {
  ended.abort()
  rmSync(root, { recursive: true })
})

it('is there at once, follows, and stays where a file cannot be read', async () => {
  const path = join(root, 'etc/resolv.conf')
  // As a whole: whoever looks meanwhile would find it empty.
  const write = (content: string | Buffer): void => {
    writeFileSync(`${path}.new`, content)
    renameSync(`${path}.new`, path)
  }
  write('nameserver 10.96.0.10\n')
  const store = createStore(
    aWorld({}, { TS_USERSPACE: 'true', TS_TEST_ONLY_ROOT: root, KUBERNETES_SERVICE_HOST: 'fd00::1' }),
  )
  const log: string[] = []
  const parts = { store, log: (text: string) => log.push(text), waits: { ...shortWaits, statusPoll: 5 } }
  await followNetwork(parts, ended.signal)
  const first = store.world
  expect(first.network).toMatchObject({
    apiServer: [{ family: 6, text: 'fd00::1' }],
    resolvers: [{ family: 4, text: '10.96.0.10' }],
    addresses: expect.arrayContaining([expect.objectContaining({ device: 'lo' })]),
  })
  await new Promise((resolve) => setTimeout(resolve, 30))
  expect(store.world).toBe(first)

  write('nameserver 10.96.0.11\n')
  await expect.poll(() => store.world.network?.resolvers[0]?.text).toBe('10.96.0.11')
  write(Buffer.alloc(1_000_000))
  await expect.poll(() => log).toEqual([expect.stringMatching(/resolv\.conf cannot be read: it has 1000000 bytes/)])
  await new Promise((resolve) => setTimeout(resolve, 30))
  expect(store.world.network?.resolvers[0]?.text).toBe('10.96.0.11')
  expect(log).toHaveLength(1)
  rmSync(path)
  await expect.poll(() => store.world.network?.resolvers).toEqual([])
})
