import { afterEach, expect, it } from 'vitest'
import { askDns, type DnsAnswer, mostAddresses } from '../../lib/resolver.ts'
import { type DnsQuestion, type DnsReply, type DnsServer, startDnsServer } from './dns-server.ts'

let endings: (() => void)[] = []
afterEach(() => {
  for (const end of endings.splice(0)) end()
})

async function serve(reply: DnsReply | undefined | ((question: DnsQuestion) => DnsReply | undefined)) {
  const server = await startDnsServer(typeof reply === 'function' ? reply : () => reply)
  endings.push(server.close)
  return server
}

const at = (...servers: DnsServer[]): string[] => servers.map(({ port }) => `127.0.0.1:${port}`)
const never = new AbortController().signal

/** The result for one reply to a question for `backend.test`. */
async function asked(reply: DnsReply | undefined, family: 4 | 6 = 4): Promise<DnsAnswer> {
  const server = await serve(reply)
  return askDns({ servers: at(server), name: 'backend.test', family }, never)
}

const a = (data: string, ttl = 30) => ({ type: 'A', data, ttl }) as const
const aaaa = (data: string, ttl = 30) => ({ type: 'AAAA', data, ttl }) as const
const addresses = (ttl: number, ...texts: string[]): DnsAnswer => ({
  kind: 'addresses',
  addresses: texts.map((text) => ({ family: text.includes(':') ? 6 : 4, text })),
  ttl,
})
const many = (count: number) => Array.from({ length: count }, (_, index) => a(`10.1.${index >> 8}.${index & 255}`))

it.each<[string, DnsReply | undefined, DnsAnswer, (4 | 6)?]>([
  [
    'addresses, with the shortest TTL',
    { records: [a('10.0.0.1'), a('10.0.0.2', 7)] },
    addresses(7, '10.0.0.1', '10.0.0.2'),
  ],
  ['IPv6 addresses', { records: [aaaa('fd00::1')] }, addresses(30, 'fd00::1'), 6],
  ['each once', { records: [a('10.0.0.1'), a('10.0.0.1')] }, addresses(30, '10.0.0.1')],
  [
    'a chain of names',
    {
      records: [
        { type: 'CNAME', data: 'b.test', ttl: 20 },
        { type: 'CNAME', data: 'c.test', owner: 'b.test' },
        { ...a('10.0.0.1'), owner: 'c.test' },
      ],
    },
    addresses(20, '10.0.0.1'),
  ],
  ['an alias without addresses', { records: [{ type: 'CNAME', data: 'b.test' }] }, { kind: 'none', exists: true }],
  [
    'a chain of 20 names',
    {
      records: [
        ...Array.from({ length: 20 }, (_, index) => ({
          type: 'CNAME' as const,
          data: `${index + 1}.test`,
          ...(index > 0 && { owner: `${index}.test` }),
        })),
        { ...a('10.0.0.1'), owner: '20.test' },
      ],
    },
    addresses(30, '10.0.0.1'),
  ],
  [
    'a loop of names',
    {
      records: [
        { type: 'CNAME', data: 'b.test' },
        { type: 'CNAME', data: 'backend.test', owner: 'b.test' },
      ],
    },
    { kind: 'none', exists: true },
  ],
  ['only addresses of the other family', { records: [aaaa('fd00::1')] }, { kind: 'none', exists: true }],
  ['no lifetime', { records: [a('10.0.0.1', 0)] }, addresses(0, '10.0.0.1')],
  ['an invalid TTL', { records: [a('10.0.0.1', 2 ** 31)] }, addresses(0, '10.0.0.1')],
  ['the longest TTL', { records: [a('10.0.0.1', 2 ** 31 - 1)] }, addresses(2 ** 31 - 1, '10.0.0.1')],
  ['no such name', undefined, { kind: 'none', exists: false }],
  ['no address', { records: [] }, { kind: 'none', exists: true }],
  [
    'SERVFAIL',
    { code: 2 },
    { kind: 'failed', reason: expect.stringMatching(/^127.*: it could not find out \(SERVFAIL\)$/) as string },
  ],
  ['REFUSED', { code: 5 }, { kind: 'failed', reason: expect.stringMatching(/REFUSED/) as string }],
  [
    'garbage',
    { garbage: Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n') },
    { kind: 'failed', reason: expect.stringMatching(/no DNS message/) as string },
  ],
  [
    'fewer records than the header says',
    { records: [a('10.0.0.1')], claims: 10_000 },
    { kind: 'failed', reason: expect.stringMatching(/no DNS message/) as string },
  ],
  ['a truncated answer', { records: [a('10.0.0.1')], truncated: true }, addresses(30, '10.0.0.1')],
  [
    'the maximum number of addresses',
    { records: many(mostAddresses) },
    addresses(30, ...many(mostAddresses).map(({ data }) => data)),
  ],
  [
    'as many as fit into a message',
    { records: many(4000) },
    { kind: 'failed', reason: expect.stringMatching(/the answer has 4000 addresses, more than 1000/) as string },
  ],
])('%s', async (_name, reply, expected, family = 4) => {
  expect(await asked(reply, family)).toEqual(expected)
})

it.each<[string, DnsReply]>([
  ['with another identifier', { records: [a('10.6.6.6')], otherId: true }],
  ['for another name', { records: [a('10.6.6.6')], otherName: 'other.test' }],
  ['for another type', { records: [a('10.6.6.6')], otherType: 'AAAA' }],
])('ignores an answer %s', async (_name, wrong) => {
  const server = await serve(() => wrong)
  const right = await serve({ records: [a('10.0.0.1')] })
  expect(await askDns({ servers: at(server, right), name: 'backend.test', family: 4 }, never)).toEqual(
    addresses(30, '10.0.0.1'),
  )
})

it.each<[string, DnsReply]>([
  ['fails', { code: 2 }],
  ['refuses', { code: 5 }],
  ['answers garbage', { garbage: Buffer.from('no DNS') }],
  ['answers truncated, and then not over TCP', { truncated: true, silentTcp: true }],
])('asks the next server if one %s', async (_name, reply) => {
  const [broken, good] = [await serve(reply), await serve({ records: [a('10.0.0.1')] })]
  expect(await askDns({ servers: at(broken, good), name: 'backend.test', family: 4 }, never)).toEqual(
    addresses(30, '10.0.0.1'),
  )
})

it('caches nothing', async () => {
  let last = 0
  const server = await serve(() => ({ records: [a(`10.0.0.${(last += 1)}`, 3600)] }))
  for (const expected of ['10.0.0.1', '10.0.0.2']) {
    expect(await askDns({ servers: at(server), name: 'backend.test', family: 4 }, never)).toEqual(
      addresses(3600, expected),
    )
  }
})

it('resolves exactly the name, without a search list', async () => {
  const server = await serve(undefined)
  await askDns({ servers: at(server), name: 'backend', family: 4 }, never)
  expect(server.questions().map(({ name }) => name)).toEqual(['backend'])
})

it('gives up when aborted', async () => {
  const server = await serve({ silent: true })
  const stop = new AbortController()
  const answer = askDns({ servers: at(server), name: 'backend.test', family: 4 }, stop.signal)
  await expect.poll(server.questions).toHaveLength(1)
  stop.abort()
  expect(await answer).toMatchObject({ kind: 'failed' })
  expect(await askDns({ servers: at(server), name: 'backend.test', family: 4 }, stop.signal)).toMatchObject({
    kind: 'failed',
  })
})
