import { describe, expect, it } from 'vitest'
import { overlapWarning, refusal } from '../../../agent/targets/refuse.ts'
import type { LocalNetwork } from '../../../agent/world/local-network.ts'
import type { World } from '../../../agent/world/world.ts'
import { parseAddress, parsePrefix } from '../../../lib/address.ts'
import { aWorld } from '../a-world.ts'
import { aPeer, peersOf } from './peers.ts'

const addressesOf = (...texts: string[]) => texts.map((text) => parseAddress(text)!)
const link = (device: string, cidr: string) => ({
  device,
  address: parseAddress(cidr.split('/')[0] ?? '')!,
  onLink: parsePrefix(cidr)!,
})
const network: LocalNetwork = {
  addresses: [
    link('lo', '127.0.0.1/8'),
    link('eth0', '10.244.1.7/24'),
    link('eth0', 'fd00:10:244::7/64'),
    link('net1', '100.80.0.1/16'),
  ],
  apiServer: addressesOf('10.96.0.1'),
  resolvers: addressesOf('10.96.0.10', 'fd00:10:96::a'),
}
const peers = peersOf(aPeer('a.', ['100.80.0.9', 'fd00:10:244::9'], ['100.80.0.10/32']), aPeer('b.', ['100.64.0.2']))
const base = aWorld({ network }, { POD_IPS: '10.244.1.8', TS_USERSPACE: 'true' })
const world: World = { ...base, tailnet: { ...base.tailnet, peers } }

describe('refusal', () => {
  it.each([
    ['100.64.0.2', undefined],
    ['10.99.0.1', undefined],
    ['fd7a:115c:a1e0::2', undefined],
    ['10.244.2.1', undefined],
    ['100.80.0.9', undefined],
    ['fd00:10:244::9', undefined],
    ['10.244.1.7', '10.244.1.7 is this Pod’s own address'],
    ['10.244.1.8', '10.244.1.8 is this Pod’s own address'],
    ['fd00:10:244::7', 'fd00:10:244::7 is this Pod’s own address'],
    ['100.64.0.1', '100.64.0.1 is this node’s own address'],
    ['10.96.0.1', '10.96.0.1 is the Kubernetes API, which the agent itself needs'],
    ['10.96.0.10', '10.96.0.10 is a resolver of /etc/resolv.conf, which the agent itself needs'],
    ['fd00:10:96::a', 'fd00:10:96::a is a resolver of /etc/resolv.conf, which the agent itself needs'],
    ['10.244.1.9', '10.244.1.9 is in 10.244.1.0/24, the network of eth0, and no node’s own address'],
    ['fd00:10:244::a', 'fd00:10:244::a is in fd00:10:244::/64, the network of eth0, and no node’s own address'],
    ['100.80.0.10', '100.80.0.10 is in 100.80.0.0/16, the network of net1, and no node’s own address'],
    ['127.0.0.5', '127.0.0.5 is a loopback address'],
    ['::1', '::1 is a loopback address'],
    ['0.0.0.0', '0.0.0.0 is no address of a host'],
    ['::', ':: is no address of a host'],
    ['255.255.255.255', '255.255.255.255 is no address of a host'],
    ['169.254.169.254', '169.254.169.254 is a link-local address'],
    ['fe80::1', 'fe80::1 is a link-local address'],
    ['224.0.0.251', '224.0.0.251 is a multicast address'],
    ['ff02::1', 'ff02::1 is a multicast address'],
  ])('%s: %s', (text, expected) => {
    expect(refusal(parseAddress(text)!, world)).toBe(expected)
  })

  it('knows the Pod by its settings before its network has been read', () => {
    const early = { ...world, network: undefined }
    expect(refusal(parseAddress('10.244.1.8')!, early)).toMatch(/own address/)
    expect(refusal(parseAddress('10.244.1.9')!, early)).toBeUndefined()
  })
})

describe('overlapWarning', () => {
  it.each([
    [
      '100.80.0.9',
      '100.80.0.9 of the tailnet is also in 100.80.0.0/16, the network of net1: what has it there is out of reach',
    ],
    ['100.64.0.2', undefined],
    ['100.80.0.10', undefined],
    ['10.244.1.9', undefined],
  ])('%s: %s', (text, expected) => {
    expect(overlapWarning(parseAddress(text)!, world)).toBe(expected)
  })
})
