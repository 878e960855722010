import { expect, it } from 'vitest'
import { getPaths, type PeerPath } from '../../localapi/paths.ts'

const handshake = '2026-11-30T12:00:00.5Z'
const direct = { CurAddr: '192.0.2.1:41641', Relay: 'fra', Active: true, LastHandshake: handshake }

/** What is said of peers with these fields, as tailscaled answers: a byte at a time. */
async function pathsOf(
  peers: Readonly<Record<string, object>>,
  isWanted: (peer: PeerPath) => boolean = () => true,
  tailnet: object = {},
) {
  const all = Object.entries(peers).map(([name, fields]) => [`nodekey:${name}`, { DNSName: name, ...fields }])
  const answer = {
    Version: '1',
    Self: { DNSName: 'self.' },
    Peer: Object.fromEntries(all),
    User: { 1: {} },
    ...tailnet,
  }
  const text = Buffer.from(JSON.stringify(answer))
  const stream = async () =>
    (async function* () {
      for (let at = 0; at < text.length; at += 1) yield text.subarray(at, at + 1)
    })()
  return getPaths({ stream }, isWanted, new AbortController().signal, 60_000)
}

it.each<[string, object, object]>([
  ['directly', direct, { path: 'direct', via: '192.0.2.1:41641', lastHandshake: new Date(handshake) }],
  [
    'by another peer as a relay',
    { ...direct, CurAddr: '', PeerRelay: '192.0.2.9:7777:vni:3' },
    { path: 'peer-relay', via: '192.0.2.9:7777:vni:3', lastHandshake: new Date(handshake) },
  ],
  ['by a DERP region', { ...direct, CurAddr: '' }, { path: 'derp', via: 'fra', lastHandshake: new Date(handshake) }],
  [
    'not at all lately',
    { ...direct, CurAddr: '', Active: false },
    { path: 'none', via: undefined, lastHandshake: new Date(handshake) },
  ],
  [
    'never, yet',
    { Active: false, CurAddr: '', Relay: 'fra', LastHandshake: '0001-01-01T00:00:00Z' },
    { path: 'none', via: undefined, lastHandshake: undefined },
  ],
  ['never by anything', { Active: true, CurAddr: null }, { path: 'none', via: undefined, lastHandshake: undefined }],
])('a peer is reached %s', async (_how, fields, expected) => {
  const { peers } = await pathsOf({ 'db.lab.ts.net.': fields })
  expect(peers).toEqual([{ name: 'db.lab.ts.net.', addresses: [], routes: [], ...expected }])
})

it('of many peers, only those are read that are wanted', async () => {
  const peers = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`p${index}.`, direct]))
  const wanted = new Set(['p7.', 'p70.', 'absent.'])
  const read = await pathsOf(peers, ({ name }) => wanted.has(name))
  expect(read.peers.map(({ name }) => name)).toEqual(['p7.', 'p70.'])
})

it('an answer is read that is larger than what is ever kept', async () => {
  const filler = { CapMap: { 'https://tailscale.com/cap/x': 'x'.repeat(1000) } }
  const one = JSON.stringify({ DNSName: 'p.', TailscaleIPs: ['100.64.0.9'], ...direct, ...filler })
  const stream = async () =>
    (async function* () {
      yield Buffer.from('{"Peer":{')
      for (let index = 0; index < 20_000; index += 1) yield Buffer.from(`${index > 0 ? ',' : ''}"k${index}":${one}`)
      yield Buffer.from('}}')
    })()
  let count = 0
  const isLast = (): boolean => (count += 1) === 20_000
  expect((await getPaths({ stream }, isLast, new AbortController().signal, 60_000)).peers).toHaveLength(1)
})

it('a peer has its addresses and routes, and the tailnet has MagicDNS or not', async () => {
  const fields = { TailscaleIPs: ['100.64.0.9', 'fd7a:115c:a1e0::9'], PrimaryRoutes: ['10.0.0.0/8'] }
  const { peers, magicDns } = await pathsOf({ 'r.': fields }, undefined, { CurrentTailnet: { MagicDNSEnabled: false } })
  expect(peers).toMatchObject([{ addresses: fields.TailscaleIPs, routes: fields.PrimaryRoutes }])
  expect(magicDns).toBe(false)
  expect((await pathsOf({}, undefined, { Peer: null })).magicDns).toBeUndefined()
})

it.each([
  '',
  '[',
  '{"Peer":{"a":{"DNSName":7}}}',
  '{"Peer":{"a":{"DNSName":"b","Active":"yes"}}}',
  '{"CurrentTailnet":7}',
])('an answer such as %j is an error', async (text) => {
  const stream = async () =>
    (async function* () {
      yield Buffer.from(text)
    })()
  await expect(getPaths({ stream }, () => true, new AbortController().signal, 60_000)).rejects.toMatchObject({
    code: 'localapi',
  })
})
