import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'

type Node = {
  readonly ID: 0
  readonly StableID: string
  readonly Name: string
  readonly Addresses: readonly string[]
}

/** A line of the bus, with the fields that scenarios use. */
export type Message = {
  readonly State?: number
  readonly SelfChange?: Node
  readonly PeersChanged?: readonly Node[]
  readonly BrowseToURL?: string
  readonly Health?: { readonly Warnings: Readonly<Record<string, object>> }
  /** A part of the status that is sent with it. */
  readonly InitialStatus?: { readonly CertDomains: readonly string[] }
}

const states = { NeedsLogin: 2, NeedsMachineAuth: 3, Stopped: 4, Starting: 5, Running: 6 } as const

export const inState = (name: keyof typeof states): Message => ({ State: states[name] })

/** The node runs; all numeric IDs are 0. */
export const running = (StableID = 'myID', Name = 'test-node.test.ts.net.', address = '100.64.0.1'): Message => ({
  ...inState('Running'),
  SelfChange: { ID: 0, StableID, Name, Addresses: [`${address}/32`] },
})

/** The same, with these certificate domains. */
export const runningWithHttps = (...CertDomains: readonly string[]): Message => ({
  ...running(),
  InitialStatus: { CertDomains },
})

/** New or changed peers. */
export const peers = (...nodes: readonly [StableID: string, Name: string, address: string][]): Message => ({
  PeersChanged: nodes.map(([StableID, Name, address]) => ({ ID: 0, StableID, Name, Addresses: [address] })),
})

const nameOf = (state: number): string => Object.entries(states).find(([, value]) => value === state)?.[0] ?? ''

/**
 * The LocalAPI of a tailscaled, controlled by a scenario. It reports no version, and drops the connection of any
 * unknown request.
 */
export class LocalApi implements AsyncDisposable {
  readonly #server: Server
  readonly #watchers = new Set<ServerResponse>()
  #last: Message | undefined
  #status = {
    BackendState: '',
    AuthURL: '',
    Self: null as object | null,
    Peer: null,
    CertDomains: [] as readonly string[],
  }
  #serveConfig = '{}'
  #prefs = '{}'
  /** The serve config and the Tailscale Services that it was sent. */
  get serves(): unknown {
    return JSON.parse(this.#serveConfig)
  }
  get hosts(): unknown {
    return (JSON.parse(this.#prefs) as { AdvertiseServices?: unknown }).AdvertiseServices
  }
  /** The requests so far, such as `POST disconnect-control`. */
  readonly seen = new Set<string>()

  private constructor(server: Server) {
    this.#server = server.on('request', (request, response) => this.#answer(request, response))
  }

  static async start(path: string): Promise<LocalApi> {
    const server = createServer()
    await new Promise<void>((resolve, reject) => server.on('error', reject).listen(path, resolve))
    return new LocalApi(server)
  }

  /** Sends a message to all watchers, and to those that come later. */
  send(message: Message): void {
    this.#last = message
    const { State, SelfChange, InitialStatus } = message
    if (State !== undefined) this.#status.BackendState = nameOf(State)
    if (SelfChange !== undefined) {
      const TailscaleIPs = SelfChange.Addresses.map((prefix) => prefix.split('/')[0])
      this.#status.Self = { ID: SelfChange.StableID, NodeID: 0, DNSName: SelfChange.Name, TailscaleIPs }
    }
    if (InitialStatus !== undefined) this.#status.CertDomains = InitialStatus.CertDomains
    this.sendLine(JSON.stringify({ Version: '', ...message, ...(InitialStatus && { InitialStatus: this.#status }) }))
  }

  /** Sends a line to the current watchers only. */
  sendLine(line: string): void {
    for (const watcher of this.#watchers) watcher.write(`${line}\n`)
  }

  /** Ends all watches, as tailscaled does with a watcher that is too slow. */
  endWatches(): void {
    for (const watcher of this.#watchers) watcher.end()
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url?.split('?')[0]?.replace('/localapi/v0/', '')
    const asked = `${request.method} ${path}`
    this.seen.add(asked)
    const answers: Readonly<Record<string, string>> = {
      'GET serve-config': this.#serveConfig,
      'POST serve-config': '',
      'GET prefs': this.#prefs,
      'PATCH prefs': '{}',
      'GET usermetrics': '# TYPE tailscaled_example counter\ntailscaled_example 1\n',
      'POST disconnect-control': '',
      'POST reload-config': '{"Reloaded":true,"Err":""}',
    }
    const answer = answers[asked]
    if (asked === 'GET watch-ipn-bus') this.#watch(response)
    else if (answer === undefined) request.socket.destroy()
    else void this.#take(asked, request).then(() => response.end(answer))
  }

  async #take(asked: string, request: IncomingMessage): Promise<void> {
    const body = Buffer.concat(await request.toArray()).toString('utf8')
    if (asked === 'POST serve-config') this.#serveConfig = body
    if (asked === 'PATCH prefs') this.#prefs = body
  }

  #watch(response: ServerResponse): void {
    // The head is sent at once, though the first message may come much later.
    response.writeHead(200, { 'Content-Type': 'application/json' }).flushHeaders()
    this.#watchers.add(response)
    response.on('close', () => this.#watchers.delete(response))
    if (this.#last === undefined) return
    response.write(`${JSON.stringify({ Version: '', ...this.#last, InitialStatus: this.#status })}\n`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
