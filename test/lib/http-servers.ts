import { type IncomingHttpHeaders, request, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { listen, type ServerOptions } from '../../lib/http-server.ts'

/** Opens a server on a free port of the loopback device; returns its address and port, too. */
export async function onLoopback(
  listener: RequestListener,
  options?: ServerOptions,
): Promise<{ server: Server; address: string }> {
  const server = await listen(listener, { host: '127.0.0.1', port: 0 }, options)
  return { server, address: `127.0.0.1:${(server.address() as AddressInfo).port}` }
}

export type Reply = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: string }

type Asked = { method?: string; headers?: Record<string, string>; body?: string; signal?: AbortSignal }

/** One exchange, with exactly the given path and headers; rejects when it is aborted. */
export function ask(address: string, path: string, { method = 'GET', headers, body, signal }: Asked = {}) {
  const [host = '', port] = address.split(':')
  return new Promise<Reply>((resolve, reject) => {
    const options = { host, port, path, method, agent: false, ...(headers && { headers }), ...(signal && { signal }) }
    const outgoing = request(options, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }))
      response.on('error', reject)
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}
