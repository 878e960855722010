import { createSocket } from 'node:dgram'
import { createServer, isIPv6, type Socket } from 'node:net'

/** A record of an answer; its owner is the name in the question unless given. */
export type DnsRecord =
  | { readonly type: 'A' | 'AAAA'; readonly data: string; readonly ttl?: number; readonly owner?: string }
  | { readonly type: 'CNAME'; readonly data: string; readonly ttl?: number; readonly owner?: string }

/** The reply to a question. */
export type DnsReply = {
  readonly records?: readonly DnsRecord[]
  /** The response code, for example 2 for SERVFAIL or 3 for NXDOMAIN. */
  readonly code?: number
  /** There is no reply. */
  readonly silent?: true
  /** Sent instead of a DNS message. */
  readonly garbage?: Buffer
  /** The reply has another identifier, or another name or type in its question. */
  readonly otherId?: true
  readonly otherName?: string
  readonly otherType?: DnsQuestion['type']
  /** The number of records in the reply's header. */
  readonly claims?: number
  /** Replies over UDP are always truncated. */
  readonly truncated?: true
  /** There is no reply over TCP. */
  readonly silentTcp?: true
}

export type DnsQuestion = { readonly name: string; readonly type: 'A' | 'AAAA'; readonly over: 'udp' | 'tcp' }

export type DnsServer = {
  readonly port: number
  /** The questions since the last call. */
  readonly questions: () => DnsQuestion[]
  readonly close: () => void
}

const types = { A: 1, CNAME: 5, AAAA: 28 } as const
/** The size of a datagram without EDNS. */
const udpBytes = 512

/** A DNS server on UDP and TCP that replies as `reply` says; undefined is NXDOMAIN. */
export async function startDnsServer(
  reply: (question: DnsQuestion) => DnsReply | undefined,
  { host = '127.0.0.1', port = 0 }: { readonly host?: string; readonly port?: number } = {},
): Promise<DnsServer> {
  let questions: DnsQuestion[] = []
  const answer = (message: Buffer, over: DnsQuestion['over']): Buffer | undefined => {
    const { name, end } = readName(message, 12)
    const type = message.readUInt16BE(end)
    if (type !== types.A && type !== types.AAAA) return encode(message, end + 4, name, { code: 4 }, false)
    const question: DnsQuestion = { name, type: type === types.A ? 'A' : 'AAAA', over }
    questions.push(question)
    const said = reply(question) ?? { code: 3 }
    if (said.silent || (said.silentTcp && over === 'tcp')) return undefined
    if (said.garbage !== undefined) return said.garbage
    const whole = encode(message, end + 4, name, said, false)
    const truncate = over === 'udp' && (said.truncated === true || whole.length > udpBytes)
    return truncate ? encode(message, end + 4, name, { ...said, records: [] }, true) : whole
  }
  const udp = createSocket(isIPv6(host) ? 'udp6' : 'udp4')
  const tcp = createServer((socket) => serveTcp(socket, (message) => answer(message, 'tcp')))
  await new Promise<void>((resolve) => tcp.listen(port, host, resolve))
  const address = tcp.address()
  const bound = typeof address === 'object' && address !== null ? address.port : port
  await new Promise<void>((resolve) => udp.bind(bound, host, resolve))
  udp.on('message', (message, from) => {
    const said = answer(message, 'udp')
    if (said !== undefined) udp.send(said, from.port, from.address)
  })
  return {
    port: bound,
    questions: () => {
      const asked = questions
      questions = []
      return asked
    },
    close: () => {
      udp.close()
      tcp.close()
    },
  }
}

function serveTcp(socket: Socket, answer: (message: Buffer) => Buffer | undefined): void {
  let read = Buffer.alloc(0)
  socket.on('error', () => {})
  socket.on('data', (chunk) => {
    read = Buffer.concat([read, chunk])
    while (read.length >= 2 && read.length >= 2 + read.readUInt16BE(0)) {
      const end = 2 + read.readUInt16BE(0)
      const said = answer(read.subarray(2, end))
      read = read.subarray(end)
      if (said !== undefined) socket.write(Buffer.concat([uint16(said.length), said]))
    }
  })
}

function encode(question: Buffer, end: number, name: string, reply: DnsReply, truncated: boolean): Buffer {
  const { records = [], code = 0, otherId, otherName, otherType, claims = records.length } = reply
  const id = question.readUInt16BE(0) ^ (otherId === undefined ? 0 : 0x5555)
  const flags = 0x8180 | (truncated ? 0x0200 : 0) | code
  return Buffer.concat([
    ...[id, flags, 1, claims, 0, 0].map(uint16),
    otherName === undefined ? question.subarray(12, end - 4) : encodeName(otherName),
    otherType === undefined ? question.subarray(end - 4, end - 2) : uint16(types[otherType]),
    question.subarray(end - 2, end),
    ...records.map((record) => encodeRecord(record, otherName ?? name, name)),
  ])
}

function encodeRecord({ type, data, ttl = 30, owner }: DnsRecord, asked: string, name: string): Buffer {
  const body =
    type === 'CNAME' ? encodeName(data) : type === 'A' ? Buffer.from(data.split('.').map(Number)) : encodeIPv6(data)
  // A pointer to the name in the question.
  const place = owner === undefined || owner === name ? uint16(0xc00c) : encodeName(owner)
  const lifetime = Buffer.alloc(4)
  lifetime.writeUInt32BE(ttl)
  return Buffer.concat([
    asked === name ? place : encodeName(asked),
    uint16(types[type]),
    uint16(1),
    lifetime,
    uint16(body.length),
    body,
  ])
}

const uint16 = (value: number): Buffer => {
  const buffer = Buffer.alloc(2)
  buffer.writeUInt16BE(value)
  return buffer
}

const encodeName = (name: string): Buffer =>
  Buffer.concat([
    ...name
      .replace(/\.$/, '')
      .split('.')
      .map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)])),
    Buffer.from([0]),
  ])

function encodeIPv6(text: string): Buffer {
  const [head = '', tail] = text.split('::')
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'))
  const [before, after] = [groups(head), groups(tail ?? '')]
  const zeros = Array<string>(8 - before.length - after.length).fill('0')
  return Buffer.concat([...before, ...zeros, ...after].map((group) => uint16(Number.parseInt(group, 16))))
}

function readName(message: Buffer, start: number): { name: string; end: number } {
  const labels: string[] = []
  let at = start
  for (let length = message[at] ?? 0; length > 0; length = message[at] ?? 0) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  return { name: labels.join('.'), end: at + 1 }
}
