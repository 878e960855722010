import { createServer, type Server, type ServerResponse } from 'node:http'
import { aWhois } from './a-whois.ts'

/** LocalAPI as the proxy uses it. What it says of peers, and when, is the test's. */
export class Tailscaled implements AsyncDisposable {
  readonly #server: Server
  readonly #watchers = new Set<ServerResponse>()
  /** Answers who has the address; undefined: 404. */
  whois: (address: string, response: ServerResponse) => string | undefined = (address) => aWhois(address)
  /** The addresses that were asked for, and how. */
  readonly asked: string[] = []
  pair = ''

  private constructor(server: Server) {
    this.#server = server.on('request', ({ url = '' }, response) => this.#answer(url, response))
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
      response.end('{"Self":{"ID":"n","DNSName":"kube.lab.ts.net."},"CertDomains":["localhost"]}')
    else if (path.startsWith('cert/')) response.end(this.pair)
    else response.writeHead(404).end('not found')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
