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

/** What is made of one reply to a question for `backend.test`. */
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
    'addresses, with the shortest lifetime',
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
  ['a chain that leads nowhere', { records: [{ type: 'CNAME', data: 'b.test' }] }, { kind: 'none', exists: true }],
  ['no lifetime', { records: [a('10.0.0.1', 0)] }, addresses(0, '10.0.0.1')],
  ['a lifetime that is none', { records: [a('10.0.0.1', 2 ** 31)] }, addresses(0, '10.0.0.1')],
  ['the longest lifetime', { records: [a('10.0.0.1', 2 ** 31 - 1)] }, addresses(2 ** 31 - 1, '10.0.0.1')],
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
    'more records than the answer has',
    { records: [a('10.0.0.1')], claims: 10_000 },
    { kind: 'failed', reason: expect.stringMatching(/no DNS message/) as string },
  ],
  ['a truncated answer', { records: [a('10.0.0.1')], truncated: true }, addresses(30, '10.0.0.1')],
  [
    'as many addresses as may be',
    { records: many(mostAddresses) },
    addresses(30, ...many(mostAddresses).map(({ data }) => data)),
  ],
  [
    'as many as a message holds',
    { records: many(4000) },
    { kind: 'failed', reason: expect.stringMatching(/the answer has 4000 addresses, more than 1000/) as string },
  ],
])('%s', async (_name, reply, expected, family = 4) => {
  expect(await asked(reply, family)).toEqual(expected)
})

it.each<[string, DnsReply]>([
  ['with another identifier', { records: [a('10.6.6.6')], otherId: true }],
  ['to another question', { records: [a('10.6.6.6')], otherName: 'other.test' }],
])('an answer %s is not taken', async (_name, wrong) => {
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
])('asks the next server where one %s', async (_name, reply) => {
  const [broken, good] = [await serve(reply), await serve({ records: [a('10.0.0.1')] })]
  expect(await askDns({ servers: at(broken, good), name: 'backend.test', family: 4 }, never)).toEqual(
    addresses(30, '10.0.0.1'),
  )
})

it('asks again what it has asked before: nothing is cached', async () => {
  let last = 0
  const server = await serve(() => ({ records: [a(`10.0.0.${(last += 1)}`, 3600)] }))
  for (const expected of ['10.0.0.1', '10.0.0.2']) {
    expect(await askDns({ servers: at(server), name: 'backend.test', family: 4 }, never)).toEqual(
      addresses(3600, expected),
    )
  }
})

it('asks for exactly the name, without a search list', async () => {
  const server = await serve(undefined)
  await askDns({ servers: at(server), name: 'backend', family: 4 }, never)
  expect(server.questions().map(({ name }) => name)).toEqual(['backend'])
})

it('gives up when it is told to', async () => {
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
