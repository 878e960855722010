import { expect, it } from 'vitest'
import { sleep } from '../../lib/timers.ts'
import { watchBus } from '../../localapi/bus.ts'
import type { LocalApi } from '../../localapi/client.ts'
import type { Wanted } from '../../localapi/status.ts'

const never = new AbortController().signal
const node = (address: string) => ({ StableID: 'n1', Name: 'p.lab.ts.net.', Addresses: [`${address}/32`] })
const self = (address: string) => ({ id: 'n1', name: 'p.lab.ts.net.', addresses: [{ family: 4, text: address }] })
const status = {
  BackendState: 'Running',
  Self: { ID: 'n1', DNSName: 'p.lab.ts.net.', TailscaleIPs: ['100.64.0.1'] },
}

/** Watches a bus that sends these lines in chunks of this size; returns the messages, and the requests to LocalAPI. */
async function watched(
  messages: readonly unknown[],
  { answer = status, chunk = 65_536, ...wanted }: { answer?: object; chunk?: number } & Partial<Wanted> = {},
) {
  const asked: string[] = []
  const rejected: unknown[] = []
  const lines = messages.map((message) => (typeof message === 'string' ? message : JSON.stringify(message)))
  const api: LocalApi = {
    get: async (path) => {
      asked.push(path)
      if (answer instanceof Error) throw answer
      return JSON.stringify(answer)
    },
    post: async () => '',
    patch: async () => '',
    stream: async (path) => {
      asked.push(path)
      if (answer instanceof Error && path === 'status') throw answer
      const text = path === 'status' ? JSON.stringify(answer) : lines.map((line) => `${line}\n`).join('')
      const bytes = Buffer.from(text)
      return (async function* () {
        for (let start = 0; start < bytes.length; start += chunk) yield bytes.subarray(start, start + chunk)
        if (wanted.certDomains !== true) return
        // For another request, which may come later when the machine is busy, and its answer.
        while (asked.length < 3) await sleep(1)
        await sleep(1)
      })()
    },
  }
  const notifications = await Array.fromAsync(
    watchBus(api, { peers: false, ...wanted }, never, (error) => rejected.push(error)),
  )
  return { notifications, asked, rejected }
}

it('the first message has the whole state: once the watch is open, the node is read without its peers', async () => {
  const first = { State: 5, Prefs: { NoSNAT: true }, Health: { Warnings: null } }
  expect(await watched([first, { SelfChange: node('100.64.0.2') }])).toEqual({
    notifications: [
      {
        state: 'Running',
        noSnat: true,
        acceptsRoutes: false,
        health: new Map(),
        initial: true,
        self: self('100.64.0.1'),
      },
      { self: self('100.64.0.2'), partial: true },
    ],
    asked: [expect.stringMatching(/^watch-ipn-bus\?mask=\d+$/), 'status?peers=false'],
    rejected: [],
  })
})

it('certificate domains, if needed, are read again when the node has changed', async () => {
  const answer = { ...status, CertDomains: ['p.lab.ts.net'] }
  const { notifications, asked } = await watched([{ State: 6 }, { SelfChange: node('100.64.0.2') }], {
    answer,
    certDomains: true,
  })
  expect(asked.slice(1)).toEqual(['status?peers=false', 'status?peers=false'])
  expect(notifications).toMatchObject([
    { certDomains: ['p.lab.ts.net'] },
    { self: self('100.64.0.2') },
    { certDomains: ['p.lab.ts.net'] },
  ])
})

it('a first message that contains a status is enough', async () => {
  const { notifications, asked } = await watched([{ InitialStatus: { BackendState: 'NeedsLogin' } }, { State: 6 }])
  expect(notifications).toEqual([{ initial: true, state: 'NeedsLogin' }, { state: 'Running' }])
  expect(asked).toHaveLength(1)
})

it('with peers, the first message has them and the DNS records, and changes are subscribed to', async () => {
  const peer = { DNSName: 'a.lab.ts.net.', TailscaleIPs: ['100.64.0.7'] }
  const Peer = Object.fromEntries(
    Array.from({ length: 10_000 }, (_, id) => [`nodekey:${id}`, { ...peer, ID: `n${id}` }]),
  )
  const answer = { ...status, Peer, ExtraRecords: [{ Name: 'db.', Value: '100.99.0.1' }] }
  const messages = [{ State: 6 }, { PeersRemoved: [7] }]
  const { notifications, asked, rejected } = await watched(messages, { answer, peers: true, chunk: 1000 })
  expect(notifications).toEqual([
    {
      state: 'Running',
      initial: true,
      self: self('100.64.0.1'),
      peers: [{ whole: true, changed: expect.objectContaining({ size: 10_000 }), removed: [] }],
      records: [{ name: 'db.', address: { family: 4, text: '100.99.0.1' } }],
    },
    { peers: [{ whole: false, changed: new Map(), removed: ['7'] }] },
  ])
  expect(asked).toEqual(['watch-ipn-bus?mask=12438', 'status'])
  expect(rejected).toEqual([])
})

it('a running node without peers is known to have none', async () => {
  const alone = { peers: [{ whole: true, changed: new Map(), removed: [] }] }
  expect((await watched([{ State: 6 }], { peers: true })).notifications).toMatchObject([alone])
  const starting = await watched([{ State: 5 }], { peers: true, answer: { BackendState: 'Starting', Peer: null } })
  expect(starting.notifications).toEqual([{ state: 'Starting', initial: true }])
})

it('a daemon that does not answer `status` is reported, and its messages are still read', async () => {
  const failure = new Error('connection dropped')
  for (const peers of [false, true]) {
    expect(await watched([{ State: 6 }, { State: 4 }], { answer: failure, peers })).toMatchObject({
      notifications: [{ state: 'Running' }, { state: 'Stopped' }],
      rejected: [failure],
    })
  }
})

it('a line that cannot be read is reported, and the stream is read on to its end', async () => {
  const bad = ['', 'x', '{"State":"6"}', '[]', `{"ErrMessage":"${'x'.repeat(1_000_000)}"}`]
  const end = { ErrMessage: 'IPN bus consumer fell behind; closing watch' }
  const { notifications, rejected } = await watched([...bad, { State: 6 }, ...bad, end], { chunk: 7 })
  expect(notifications).toMatchObject([{ state: 'Running', initial: true }, { error: end.ErrMessage }])
  expect(rejected).toEqual(Array.from({ length: 10 }, () => expect.objectContaining({ code: 'localapi' })))
})

it('whole netmaps of 20 MB, from daemons before 1.100, take no memory', async () => {
  const peers = Array.from({ length: 20_000 }, (_, id) => ({ ...node('100.64.0.9'), ID: id, Key: 'k'.repeat(1000) }))
  const netmap = (address: string) => ({ NetMap: { SelfNode: node(address), Peers: peers } })
  const { notifications } = await watched([{ State: 6 }, netmap('100.64.0.2'), netmap('100.64.0.3')])
  expect(notifications.slice(1)).toEqual([{ self: self('100.64.0.2') }, { self: self('100.64.0.3') }])
})
