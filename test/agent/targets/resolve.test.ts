import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { resolveTarget } from '../../../agent/targets/resolve.ts'
import { contains, parseAddress, parsePrefix } from '../../../lib/address.ts'
import { entriesOf, layered } from '../../../lib/layered-map.ts'
import { type ExtraRecord, noPeers, type Peers } from '../../../localapi/peers.ts'
import { growth } from '../../lib/processor-time.ts'
import { aPeer, aRecord, peersOf } from './peers.ts'

const peers = peersOf(
  aPeer('web.lab.ts.net.', ['100.64.0.2', 'fd7a:115c:a1e0::2'], ['100.99.0.1/32', 'fd7a:115c:a1e0::9901/128']),
  aPeer('router.lab.ts.net.', ['100.64.0.3'], ['10.0.0.0/8', '0.0.0.0/0', '::/0', 'fd7a:115c:a1e0:b1a:0:7:a01:0/112']),
  aPeer('inner.lab.ts.net.', ['100.64.0.4'], ['10.1.0.0/16', '100.99.0.1/32', '10.99.0.1/32']),
  aPeer('new.lab.ts.net.'),
  aPeer('WEB.lab.ts.net.', ['100.64.0.5']),
)
const records = [
  aRecord('db.lab.ts.net', 'fd7a:115c:a1e0::9901'),
  aRecord('DB.lab.ts.net.', '100.99.0.1'),
  aRecord('db.lab.ts.net.', '100.99.0.1'),
  aRecord('db.lab.ts.net', '100.99.0.2'),
  aRecord('gone.lab.ts.net', '100.99.0.9'),
  aRecord('alias.lab.ts.net', '100.64.0.4'),
  aRecord('routed.lab.ts.net', '10.1.0.1'),
]

/** In one line: the kind, the addresses, and whose; or the problem. */
function resolve(
  target: string,
  tailnet: { peers?: Peers; records?: readonly ExtraRecord[] } = { peers, records },
): string {
  const address = parseAddress(target)
  const found = resolveTarget(address ? { kind: 'address', address } : { kind: 'name', name: target }, tailnet)
  if ('problem' in found) return found.problem
  return [found.through, ...found.addresses.map(({ text }) => text), found.owner ?? ''].join(' ').trim()
}

describe('names', () => {
  it.each([
    ['web.lab.ts.net', 'peer 100.64.0.2 fd7a:115c:a1e0::2 web.lab.ts.net.'],
    ['.WEB.lab.TS.net.', 'peer 100.64.0.2 fd7a:115c:a1e0::2 web.lab.ts.net.'],
    ['new.lab.ts.net', 'the node new.lab.ts.net has no address'],
    ['db.lab.ts.net', 'service 100.99.0.1 fd7a:115c:a1e0::9901'],
    ['alias.lab.ts.net.', 'service 100.64.0.4'],
    ['gone.lab.ts.net', 'no node that this one may reach hosts gone.lab.ts.net (100.99.0.9)'],
    ['routed.lab.ts.net', 'no node that this one may reach hosts routed.lab.ts.net (10.1.0.1)'],
    ['10-1-0-5-via-7', '4via6 fd7a:115c:a1e0:b1a:0:7:a01:5 router.lab.ts.net.'],
    ['10-1-0-5-VIA-0x7.lab.ts.net.', '4via6 fd7a:115c:a1e0:b1a:0:7:a01:5 router.lab.ts.net.'],
    [
      '10-2-0-5-via-7',
      '10-2-0-5-via-7 is fd7a:115c:a1e0:b1a:0:7:a02:5, to which no node has a route that this one may use',
    ],
    [
      '10-1-0-5-via-7.example.com',
      'nothing is called 10-1-0-5-via-7.example.com in this tailnet, or its rules let this node reach nothing of that name',
    ],
    [
      'nobody.lab.ts.net',
      'nothing is called nobody.lab.ts.net in this tailnet, or its rules let this node reach nothing of that name',
    ],
    ['web', 'nothing is called web in this tailnet, or its rules let this node reach nothing of that name'],
    ['', '"" is no full name: it is empty'],
    ['a..lab', '"a..lab" is no full name: it has a label that is empty or longer than 63 bytes'],
  ])('%s: %s', (name, expected) => {
    expect(resolve(name)).toBe(expected)
  })
})

describe('addresses', () => {
  it.each([
    ['100.64.0.2', 'peer 100.64.0.2 web.lab.ts.net.'],
    ['fd7a:115c:a1e0::2', 'peer fd7a:115c:a1e0::2 web.lab.ts.net.'],
    ['100.99.0.1', 'service 100.99.0.1 web.lab.ts.net.'],
    ['10.2.0.1', 'route 10.2.0.1 router.lab.ts.net.'],
    ['10.1.0.1', 'route 10.1.0.1 inner.lab.ts.net.'],
    ['10.99.0.1', 'route 10.99.0.1 inner.lab.ts.net.'],
    ['fd7a:115c:a1e0:b1a:0:7:a01:5', '4via6 fd7a:115c:a1e0:b1a:0:7:a01:5 router.lab.ts.net.'],
    ['8.8.8.8', '8.8.8.8 is no address of a node that this one may reach, and none has a route to it'],
    ['fd00::1', 'fd00::1 is no address of a node that this one may reach, and none has a route to it'],
  ])('%s: %s', (address, expected) => {
    expect(resolve(address)).toBe(expected)
  })
})

it('nothing is reported missing before the peers are known', () => {
  expect([resolve('web.lab.ts.net', {}), resolve('100.64.0.2', { records })]).toEqual(
    Array.from({ length: 2 }, () => 'the nodes of the tailnet are not known yet'),
  )
  expect(resolve('web.lab.ts.net', { peers: noPeers })).toMatch(/^nothing is called/)
})

it('an address is in the tailnet if some peer has or routes it, whatever the order of peers', () => {
  const near = fc.integer({ min: 0, max: 255 }).map((low) => `10.0.0.${low}`)
  const network = fc.tuple(near, fc.constantFrom(0, 20, 24, 28, 30, 32)).map(([text, bits]) => `${text}/${bits}`)
  const some = fc.array(
    fc
      .tuple(fc.array(near, { maxLength: 2 }), fc.array(network, { maxLength: 3 }))
      .map((parts) => aPeer('x.', ...parts)),
    { maxLength: 5 },
  )
  fc.assert(
    fc.property(some, near, (list, text) => {
      const address = parseAddress(text)!
      const all = peersOf(...list)
      const found = resolve(text, { peers: all })
      const routed = list.some(({ allowed }) => allowed.some((prefix) => prefix.bits > 0 && contains(prefix, address)))
      const own = list.some(({ addresses }) => addresses.some((other) => other.text === text))
      expect(found.split(' ')[0]).toBe(own ? 'peer' : routed ? 'route' : text)
      expect(resolve(text, { peers: layered(new Map([...entriesOf(all)].toReversed())) })).toBe(found)
    }),
  )
})

it('a Tailscale Service has the addresses of its records that a peer routes, once each, whatever the order', () => {
  const value = fc.constantFrom('100.99.0.1', '100.99.0.2', '100.99.0.3', 'fd7a::1', 'fd7a::2')
  fc.assert(
    fc.property(fc.array(value), fc.array(value), (recorded, hosted) => {
      const hosts = peersOf(
        ...hosted.map((text) => aPeer('x.', [], [parsePrefix(`${text}/${text.includes(':') ? 128 : 32}`)!.text])),
      )
      const both = [...new Set(recorded)].filter((text) => hosted.includes(text)).toSorted()
      const service = recorded.map((text) => aRecord('db.lab', text))
      const found = resolve('db.lab', { peers: hosts, records: service })
      if (both.length === 0) expect(found).toMatch(/^no/)
      else expect(found).toBe(['service', ...both].join(' '))
      expect(resolve('db.lab', { peers: hosts, records: service.toReversed() }).slice(0, 7)).toBe(found.slice(0, 7))
    }),
  )
})

it('resolving among 10,000 peers is as fast as among 512', () => {
  const among = (size: number) => {
    const many = peersOf(
      ...Array.from({ length: size }, (_, id) =>
        aPeer(`p${id}.lab.ts.net.`, [`100.80.${id >> 8}.${id & 255}`], [`10.${id >> 8}.${id & 255}.0/24`]),
      ),
    )
    return () => {
      for (let id = 0; id < 512; id += 1) {
        if (!resolve(`p${id}.lab.ts.net`, { peers: many }).startsWith('peer')) throw new Error(`p${id} is not found`)
        if (!resolve(`10.1.${id & 255}.9`, { peers: many }).startsWith('route')) throw new Error(`${id} is not routed`)
      }
    }
  }
  expect(growth([512, 10_000], among)).toBeLessThan(0.5)
})
