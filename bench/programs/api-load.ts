// Runs in a host: node api-load.ts JSON, of Settings
// Uses an API server over HTTP/2, or over HTTP/1.1 where that is all that is spoken.
// way `kept` or `new`: gets an object again and again for `seconds`, over one connection or over a new one each. Prints
// as JSON { times }: the milliseconds of each answer, without the first tenth of the time.
// way `watch`: opens `count` watches and prints `ready`; after `events` events of each it prints { seconds } since the
// first one. Without `events` it only keeps them open.
import { readFileSync } from 'node:fs'
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2'
import { request, type RequestOptions } from 'node:https'
import type { Readable } from 'node:stream'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { once } from 'node:events'

type Settings = {
  host: string
  port: number
  servername: string
  /** A file with the authorities that are trusted. */
  ca: string
  token: string
  path: string
} & ({ way: 'kept' | 'new'; seconds: number } | { way: 'watch'; count: number; events?: number })
const settings = JSON.parse(process.argv[2] ?? '{}') as Settings
const { host, port, servername, path } = settings
const ca = readFileSync(settings.ca)
const authorization = `Bearer ${settings.token}`

/** Requests that may be open on one connection of HTTP/2. */
const streams = 100

/** The body of an answer. */
type Ask = () => Promise<Readable>
type Connection = { readonly ask: Ask; readonly most: number; readonly end: () => void }

async function connect(): Promise<Connection> {
  const options = { host, port, servername, ca, ALPNProtocols: ['h2', 'http/1.1'] }
  const socket = connectTls(options)
  await once(socket, 'secureConnect')
  return socket.alpnProtocol === 'h2' ? overHttp2(socket) : overHttp1(socket)
}

function overHttp2(socket: TLSSocket): Connection {
  const session: ClientHttp2Session = connectHttp2(`https://${servername}`, { createConnection: () => socket })
  const ask = async (): Promise<Readable> => {
    const stream = session.request({ ':path': path, authorization })
    const [headers] = (await once(stream, 'response')) as [Record<string, unknown>]
    if (headers[':status'] !== 200) throw new Error(`status ${String(headers[':status'])}`)
    return stream
  }
  return { ask, most: streams, end: () => session.destroy() }
}

function overHttp1(socket: TLSSocket): Connection {
  const options: RequestOptions = {
    createConnection: () => socket,
    headers: { Host: servername, Connection: 'keep-alive', authorization },
    path,
  }
  const ask = async (): Promise<Readable> => {
    const asking = request(options).end()
    const [answer] = (await once(asking, 'response')) as [Readable & { statusCode: number }]
    if (answer.statusCode !== 200) throw new Error(`status ${answer.statusCode}`)
    return answer
  }
  return { ask, most: 1, end: () => socket.destroy() }
}

const whole = async (ask: Ask): Promise<void> => {
  for await (const _ of await ask());
}

async function get(kept: boolean, seconds: number): Promise<void> {
  const begun = performance.now()
  const [counting, ending] = [begun + seconds * 100, begun + seconds * 1000]
  const times: number[] = []
  let connection = kept ? await connect() : undefined
  while (performance.now() < ending) {
    const start = performance.now()
    connection ??= await connect()
    await whole(connection.ask)
    if (start >= counting) times.push(performance.now() - start)
    if (!kept) {
      connection.end()
      connection = undefined
    }
  }
  print({ times })
}

async function watch(count: number, events: number): Promise<void> {
  let [seen, first] = [0, 0]
  const all: Readable[] = []
  const open = async (): Promise<void> => {
    while (left > 0) {
      const { ask, most } = connections.pop() ?? (await connect())
      const share = Math.min(most, left)
      left -= share
      for (let used = 0; used < share; used += 1) all.push(await ask())
    }
  }
  // The first one says how many are needed.
  const connections = [await connect()]
  let left = count
  const needed = Math.ceil(count / connections[0]!.most)
  await Promise.all(Array.from({ length: Math.min(atOnce, needed) }, open))
  const done = Promise.withResolvers<void>()
  for (const body of all) {
    body.on('error', done.reject).on('end', () => done.reject(new Error('a watch has ended')))
    body.on('data', (data: Buffer) => {
      if (seen === 0) first = performance.now()
      for (const byte of data) if (byte === newline) seen += 1
      if (seen >= count * events) done.resolve()
    })
  }
  console.log('ready')
  await done.promise
  print({ seconds: (performance.now() - first) / 1000 })
}
const newline = 0x0a
/** Connections that are being opened. */
const atOnce = 8

/** Ends with it: an exit would cut off what the pipe has not accepted yet. */
function print(result: object): void {
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0))
}

await (settings.way === 'watch'
  ? watch(settings.count, settings.events ?? Number.POSITIVE_INFINITY)
  : get(settings.way === 'kept', settings.seconds))
