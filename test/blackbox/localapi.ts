import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { changeNet, type Generation, lineOf, statusOf, unknownNet } from './generations.ts'

export type Node = {
  /** 0 unless a generation of tailscaled is played. */
  readonly ID: number
  readonly StableID: string
  readonly Name: string
  readonly Addresses: readonly string[]
}

/** A line of the bus, with the fields that scenarios use. */
export type Message = {
  readonly State?: number
  readonly SelfChange?: Node
  readonly PeersChanged?: readonly Node[]
  readonly PeersRemoved?: readonly number[]
  /** Changes of what is not kept of a peer; only for a generation of tailscaled. */
  readonly PeersPatched?: readonly { readonly NodeID: number; readonly Online: boolean }[]
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
 * The LocalAPI of a tailscaled, controlled by a scenario, which drops the connection of any unknown request. Unless a
 * generation is played, it reports no version, does not know `status`, and sends messages as they are.
 */
export class LocalApi implements AsyncDisposable {
  readonly #server: Server
  readonly #generation: Generation | undefined
  #net = unknownNet
  /** With the mask of each. */
  readonly #watchers = new Map<ServerResponse, number>()
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

  private constructor(server: Server, generation: Generation | undefined) {
    this.#generation = generation
    this.#server = server.on('request', (request, response) => this.#answer(request, response))
  }

  static async start(path: string, generation?: Generation): Promise<LocalApi> {
    const server = createServer()
    await new Promise<void>((resolve, reject) => server.on('error', reject).listen(path, resolve))
    return new LocalApi(server, generation)
  }

  /** Sends a message to all watchers, and to those that come later. */
  send(message: Message): void {
    if (this.#generation !== undefined) {
      this.#sendAs(this.#generation, message)
      return
    }
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
    for (const watcher of this.#watchers.keys()) watcher.write(`${line}\n`)
  }

  #sendAs(generation: Generation, change: Message): void {
    const { State } = change
    this.#net = changeNet(this.#net, change)
    for (const [watcher, mask] of this.#watchers) {
      const news = generation.news(change, this.#net, mask)
      const messages = [news, { State }].filter((fields) => Object.values(fields).some((value) => value !== undefined))
      for (const fields of messages) watcher.write(`${lineOf(generation, fields)}\n`)
    }
  }

  /** Ends all watches, as tailscaled does with a watcher that is too slow. */
  endWatches(): void {
    for (const watcher of this.#watchers.keys()) watcher.end()
    this.#watchers.clear()
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://local-tailscaled.sock')
    const path = pathname.replace('/localapi/v0/', '')
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
    const generation = this.#generation
    if (generation !== undefined) {
      response.setHeader('Tailscale-Version', generation.version).setHeader('Tailscale-Cap', generation.cap)
    }
    if (asked === 'GET watch-ipn-bus') this.#watch(response, Number(searchParams.get('mask')))
    else if (asked === 'GET status' && generation !== undefined)
      response.end(JSON.stringify(statusOf(generation, this.#net, searchParams.get('peers') !== 'false')))
    else if (answer === undefined) request.socket.destroy()
    else void this.#take(asked, request).then(() => response.end(answer))
  }

  async #take(asked: string, request: IncomingMessage): Promise<void> {
    const body = Buffer.concat(await request.toArray()).toString('utf8')
    if (asked === 'POST serve-config') this.#serveConfig = body
    if (asked === 'PATCH prefs') this.#prefs = body
  }

  #watch(response: ServerResponse, mask: number): void {
    const generation = this.#generation
    if (generation !== undefined && (mask & generation.refused) !== 0) {
      response.writeHead(400).end(`bits ${mask & generation.refused} are no longer supported`)
      return
    }
    // The head is sent at once, though the first message may come much later.
    response.writeHead(200, { 'Content-Type': 'application/json' }).flushHeaders()
    this.#watchers.set(response, mask)
    response.on('close', () => this.#watchers.delete(response))
    if (generation !== undefined) {
      const first = { SessionID: 'session', State: this.#net.state, Prefs: { NoSNAT: false, RouteAll: false } }
      response.write(`${lineOf(generation, { ...first, Health: { Warnings: null } })}\n`)
    }
    if (this.#last === undefined) return
    response.write(`${JSON.stringify({ Version: '', ...this.#last, InitialStatus: this.#status })}\n`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
