import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { aWhois } from './a-whois.ts'

/** LocalAPI as the proxy uses it. What it says of peers, and when, is the test's. */
export class Tailscaled implements AsyncDisposable {
  readonly #server: Server
  readonly #watchers = new Set<ServerResponse>()
  readonly #dialled = new Set<Duplex>()
  /** Answers who has the address; undefined: 404. */
  whois: (address: string, response: ServerResponse) => string | undefined = (address) => aWhois(address)
  /** The addresses that were asked for, and how. */
  readonly asked: string[] = []
  pair = ''
  /** Certificates with their keys, by the names that it has besides. */
  readonly pairs = new Map<string, string>()
  /** The other nodes of the tailnet, by their keys. */
  peers: object = {}

  private constructor(server: Server) {
    this.#server = server.on('request', ({ url = '' }, response) => this.#answer(url, response))
    server.on('upgrade', (request: IncomingMessage, socket: Duplex) => this.#dial(request, socket))
  }

  static async start(path: string): Promise<Tailscaled> {
    const server = createServer()
    await new Promise<void>((resolve, reject) => server.on('error', reject).listen(path, resolve))
    return new Tailscaled(server)
  }

  /** Tells all watchers that something has changed. */
  change(): void {
    for (const watcher of this.#watchers) watcher.write('{"SelfChange":{}}\n')
  }

  /** Connects to a port of this machine, as to a host of the tailnet. */
  #dial({ headers }: IncomingMessage, socket: Duplex): void {
    this.#dialled.add(socket)
    const other = connect({ host: '127.0.0.1', port: Number(headers['dial-port']), noDelay: true })
    socket
      .on('error', () => {})
      .on('close', () => {
        this.#dialled.delete(socket)
        other.destroy()
      })
    other.on('error', () => socket.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 7\r\n\r\nrefused'))
    other.on('close', () => socket.end())
    other.on('connect', () => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: ts-dial\r\n\r\n')
      socket.pipe(other).pipe(socket)
    })
  }

  #answer(url: string, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(url, 'http://local-tailscaled.sock')
    const path = pathname.replace('/localapi/v0/', '')
    if (path === 'whois') {
      const [, address = ''] = /^\[?([^\]]*?)\]?:\d+$/.exec(searchParams.get('addr') ?? '') ?? []
      this.asked.push(`${address} ${searchParams.get('proto')}`)
      const answer = this.whois(address, response)
      if (answer !== undefined) response.end(answer)
    } else if (path === 'watch-ipn-bus') {
      response.writeHead(200).write('{"State":6}\n')
      this.#watchers.add(response)
      response.on('close', () => this.#watchers.delete(response))
    } else if (path === 'status')
      response.end(
        JSON.stringify({
          Self: { ID: 'n', DNSName: 'kube.lab.ts.net.' },
          CertDomains: ['localhost', ...this.pairs.keys()],
          Peer: this.peers,
        }),
      )
    else if (path.startsWith('cert/')) response.end(this.pairs.get(path.slice('cert/'.length)) ?? this.pair)
    else response.writeHead(404).end('not found')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    for (const socket of this.#dialled) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
