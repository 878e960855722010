// Runs on the bed's own address: node gateway.ts SETTINGS
// The gateway in front of the bed's certificate authority. It passes requests on, keeps a journal of them, and causes
// faults as requested over a unix socket: PUT and DELETE /fault, GET /journal. Prints `ready` once it listens.
import { readFileSync } from 'node:fs'
import {
  createServer as createHttpServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import { Agent, createServer, request } from 'node:https'
import { setTimeout as delay } from 'node:timers/promises'
import { type AcmeFault, type AcmeOrder, type AcmeRequest, answerOf, appliesTo } from '../faults.ts'

export type GatewaySettings = {
  readonly address: string
  readonly port: number
  /** The authority's port, at the same address. */
  readonly authority: number
  /** Files: the certificate of both, and the socket for faults. */
  readonly certificate: string
  readonly key: string
  readonly socket: string
}

const { address, port, authority, certificate, key, socket } = JSON.parse(process.argv[2] ?? '{}') as GatewaySettings
const cert = readFileSync(certificate, 'utf8')
const agent = new Agent({ ca: cert, keepAlive: true })

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
const orders = new Map<string, Mutable<AcmeOrder>>() // by the URL that finalizes it
const requests: Mutable<AcmeRequest>[] = []
const resources = new Map<string, string>() // name in the directory, by path
const unanswered = new Set<ServerResponse>()
let fault: AcmeFault | undefined

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of message) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

type Passed = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: Buffer }

/** Passes a request to the authority, with the same Host header, since the authority's links contain it. */
async function pass(asked: IncomingMessage, body: Buffer): Promise<Passed> {
  const { method, url: path, headers } = asked
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    request({ host: address, port: authority, method, path, headers, agent }, resolve).on('error', reject).end(body)
  })
  return { status: answer.statusCode ?? 502, headers: answer.headers, body: await bodyOf(answer) }
}

/**
 * tailscaled repeats the challenge of a validation that is reused. Public authorities answer it as it is (RFC 8555
 * §7.5.1 leaves that open), pebble refuses it.
 */
function acceptRepeated(passed: Passed): Passed {
  if (passed.status !== 400 || !passed.body.includes('Cannot update challenge with status valid')) return passed
  const { 'content-length': _, ...headers } = passed.headers
  return { status: 200, headers, body: Buffer.from(JSON.stringify({ status: 'valid' })) }
}

/** Records the orders in an answer, and the names in the directory. */
function learn(resource: string, body: Buffer, status: number): void {
  if (status >= 300 || body[0] !== 0x7b) return
  const content = JSON.parse(body.toString()) as Record<string, unknown>
  if (resource === '/dir') {
    const links = Object.entries(content).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
    for (const [name, link] of links) resources.set(new URL(link).pathname, name)
  }
  const { finalize, identifiers, certificate: link } = content as Partial<Order>
  if (finalize === undefined) return
  const order = orders.get(finalize) ?? {
    domains: (identifiers ?? []).map(({ value }) => value),
    at: Date.now(),
    issued: false,
  }
  orders.set(finalize, { ...order, issued: order.issued || link !== undefined })
}
type Order = { readonly finalize: string; readonly identifiers: { value: string }[]; readonly certificate: string }

async function serve(asked: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = asked.url ?? ''
  const resource = resources.get(path) ?? path
  const entry: Mutable<AcmeRequest> = { at: Date.now(), resource }
  requests.push(entry)
  const body = await bodyOf(asked)
  const met = appliesTo(fault, resource) ? fault : undefined
  if (met?.kind === 'silent') {
    unanswered.add(response)
    return
  }
  if (met?.kind === 'slow') await delay(met.ms)
  const instead = met && answerOf(met)
  if (instead !== undefined) {
    entry.status = instead.status
    response.writeHead(instead.status, instead.headers).end(instead.body)
    return
  }
  const passed = acceptRepeated(await pass(asked, body))
  entry.status = passed.status
  learn(resource, passed.body, passed.status)
  response.writeHead(entry.status, passed.headers).end(passed.body)
}

const gateway = createServer({ cert, key: readFileSync(key, 'utf8') }, (asked, response) => {
  serve(asked, response).catch((error: unknown) => {
    console.log(`${asked.method} ${asked.url}: ${String(error)}`)
    response.destroy()
  })
})
const listen = (): Promise<void> => new Promise((resolve) => void gateway.listen(port, address, resolve))

async function become(next: AcmeFault | undefined): Promise<void> {
  const wasRefusing = fault?.kind === 'refuse'
  fault = next
  for (const response of unanswered) response.destroy()
  unanswered.clear()
  if (next?.kind === 'refuse' && !wasRefusing) {
    const closed = new Promise((resolve) => void gateway.close(resolve))
    gateway.closeAllConnections()
    await closed
  }
  if (next?.kind !== 'refuse' && wasRefusing) await listen()
  console.log(`fault: ${JSON.stringify(next ?? 'none')}`)
}

async function control(asked: IncomingMessage): Promise<unknown> {
  const body = await bodyOf(asked)
  switch (`${asked.method} ${asked.url}`) {
    case 'PUT /fault':
      await become(JSON.parse(body.toString()) as AcmeFault)
      return {}
    case 'DELETE /fault':
      await become(undefined)
      return {}
    case 'GET /journal':
      return { orders: [...orders.values()], requests }
    default:
      throw new Error('no such request')
  }
}

const controls = createHttpServer((asked, response) => {
  control(asked).then(
    (answer) => response.end(JSON.stringify(answer)),
    (error: unknown) => response.writeHead(400).end(String(error)),
  )
})

await Promise.all([listen(), new Promise<void>((resolve) => void controls.listen(socket, resolve))])
console.log('ready')
