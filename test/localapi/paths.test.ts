import { expect, it } from 'vitest'
import { getPaths } from '../../localapi/paths.ts'

const handshake = '2026-11-30T12:00:00.5Z'
const direct = { CurAddr: '192.0.2.1:41641', Relay: 'fra', Active: true, LastHandshake: handshake }

/** What is said of peers with these fields, as tailscaled answers: a byte at a time. */
async function pathsOf(peers: Readonly<Record<string, object>>, wanted = Object.keys(peers)) {
  const all = Object.entries(peers).map(([name, fields]) => [`nodekey:${name}`, { DNSName: name, ...fields }])
  const answer = { Version: '1', Self: { DNSName: 'self.' }, Peer: Object.fromEntries(all), User: { 1: {} } }
  const text = Buffer.from(JSON.stringify(answer))
  const stream = async () =>
    (async function* () {
      for (let at = 0; at < text.length; at += 1) yield text.subarray(at, at + 1)
    })()
  return getPaths({ stream }, new Set(wanted), new AbortController().signal, 60_000)
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
  expect(await pathsOf({ 'db.lab.ts.net.': fields })).toEqual([{ name: 'db.lab.ts.net.', ...expected }])
})

it('of many peers, only those are read that are wanted', async () => {
  const peers = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`p${index}.`, direct]))
  expect((await pathsOf(peers, ['p7.', 'p70.', 'absent.'])).map(({ name }) => name)).toEqual(['p7.', 'p70.'])
})

it.each(['', '[', '{"Peer":{"a":{"DNSName":7}}}', '{"Peer":{"a":{"DNSName":"b","Active":"yes"}}}'])(
  'an answer such as %j is an error',
  async (text) => {
    const stream = async () =>
      (async function* () {
        yield Buffer.from(text)
      })()
    await expect(getPaths({ stream }, new Set(), new AbortController().signal, 60_000)).rejects.toMatchObject({
      code: 'localapi',
    })
  },
)
