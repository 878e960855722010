// Runs as a separate process: node visit.ts VISIT, which is JSON; prints a `Page` as JSON.
import { once } from 'node:events'
import { type IncomingMessage, request as plainRequest, type RequestOptions } from 'node:http'
import { request as tlsRequest } from 'node:https'
import { connect as plainConnect, type Socket } from 'node:net'
import { connect as tlsConnect } from 'node:tls'

/**
 * The request: a page, or with `data` the answer to these bytes. `name` is the site's; with TLS, that of the
 * certificate.
 */
export type Visit = {
  readonly to: string
  readonly port: number
  readonly name: string
  readonly tls?: boolean
  readonly path?: string
  readonly data?: string
  /** Comes from the internet by Funnel: the URL of the node's peer API. */
  readonly funnel?: string
}

export type Page = { readonly status: number; readonly location?: string | undefined; readonly body: string }

const patience = 30_000
const visit = JSON.parse(process.argv[2] ?? '') as Visit
const { to: host, port, name, tls = false, path = '/', data, funnel } = visit

/** A connection as a relay of Funnel opens one: the node takes over what has asked it for that. */
async function throughFunnel(peer: string): Promise<Socket> {
  const { hostname, port: at, host: authority } = new URL(peer)
  const socket = plainConnect({ host: hostname.replaceAll(/[[\]]/g, ''), port: Number(at) })
  const fields = { Host: authority, 'Tailscale-Ingress-Src': '192.0.2.9:40000', 'Content-Length': '0' }
  const lines = Object.entries({ ...fields, 'Tailscale-Ingress-Target': `${name}:${port}` }).map((one) =>
    one.join(': '),
  )
  socket.write(['POST /v0/ingress HTTP/1.1', ...lines, '', ''].join('\r\n'))
  const [head] = (await once(socket, 'data')) as [Buffer]
  if (!head.toString().startsWith('HTTP/1.1 101 ')) throw new Error(`FUNNEL_REFUSED: ${head.toString()}`)
  return socket
}

const page = (options: RequestOptions): Promise<Page> =>
  new Promise((resolve, reject) => {
    const take = (answer: IncomingMessage): void => {
      const { statusCode: status = 0, headers } = answer
      answer
        .toArray()
        .then(
          (chunks) => resolve({ status, location: headers.location, body: Buffer.concat(chunks).toString('utf8') }),
          reject,
        )
    }
    const outgoing = tls ? tlsRequest({ ...options, servername: name }, take) : plainRequest(options, take)
    outgoing
      .on('error', reject)
      .setTimeout(patience, () => outgoing.destroy(new Error('no answer')))
      .end()
  })

const bytes = (sent: string): Promise<Page> =>
  new Promise((resolve, reject) => {
    const socket = tls ? tlsConnect({ host, port, servername: name }) : plainConnect({ host, port })
    const chunks: Buffer[] = []
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.on('end', () => resolve({ status: 0, body: Buffer.concat(chunks).toString('latin1') }))
    socket.on('error', reject).setTimeout(patience, () => socket.destroy(new Error('no answer')))
    socket.write(sent)
  })

const asked = { host, port, path, headers: { Host: name } }
const socket = funnel === undefined ? undefined : await throughFunnel(funnel)
const taken =
  socket === undefined ? { agent: false } : { createConnection: () => tlsConnect({ socket, servername: name }) }
const answer = data === undefined ? page({ ...asked, ...taken }) : bytes(data)
process.stdout.write(JSON.stringify(await answer))
