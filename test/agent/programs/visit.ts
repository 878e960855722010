// Runs as a separate process: node visit.ts VISIT, which is JSON; prints a `Page` as JSON.
import { type IncomingMessage, request as plainRequest, type RequestOptions } from 'node:http'
import { request as tlsRequest } from 'node:https'
import { connect as plainConnect } from 'node:net'
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
}

export type Page = { readonly status: number; readonly location?: string | undefined; readonly body: string }

const patience = 10_000
const visit = JSON.parse(process.argv[2] ?? '') as Visit
const { to: host, port, name, tls = false, path = '/', data } = visit

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

const answer = data === undefined ? page({ host, port, path, headers: { Host: name }, agent: false }) : bytes(data)
process.stdout.write(JSON.stringify(await answer))
