import { request } from 'node:http'
import { CulvertError } from '../../lib/errors.ts'
import type {
  ApiClient,
  ApiFault,
  ApiSettings,
  AuthKey,
  ControlEvent,
  DnsRecord,
  Grant,
  Login,
  NewKey,
  NodePatch,
  OutageState,
  ServicePatch,
  Settings,
  TailnetNode,
  TailnetService,
} from './control-types.ts'
import { patience } from './patience.ts'

/**
 * Controls a bed's tailnet through the control server's admin API; docs/lab-control.md describes the calls. Every call
 * throws CulvertError `command` with the server's error when it is refused. A node is identified by its ID, stable ID,
 * name, full name or node key.
 */
export class ControlClient {
  readonly #socket: string

  constructor(socket: string) {
    this.#socket = socket
  }

  async nodes(): Promise<TailnetNode[]> {
    return (await this.call<{ nodes: TailnetNode[] }>('GET', '/nodes')).nodes
  }

  async node(node: string | number): Promise<TailnetNode> {
    return await this.call('GET', `/nodes/${encodeURIComponent(node)}`)
  }

  /** Adds a node without a tailscaled: a peer in the netmap that is always offline. Its public machine key may be given. */
  async createNode(hostname: string, more: { readonly machineKey?: string } = {}): Promise<TailnetNode> {
    return await this.call('POST', '/nodes', { hostname, ...more })
  }

  async patchNode(node: string | number, patch: NodePatch): Promise<TailnetNode> {
    return await this.call('PATCH', `/nodes/${encodeURIComponent(node)}`, patch)
  }

  async removeNode(node: string | number): Promise<void> {
    await this.call('DELETE', `/nodes/${encodeURIComponent(node)}`)
  }

  /** Sends a request to the node over its control connection. */
  async askNode(
    node: string | number,
    ask: { method?: string; path: string; body?: string },
  ): Promise<{ status: number; body: string }> {
    return await this.call('POST', `/nodes/${encodeURIComponent(node)}/c2n`, ask)
  }

  async keys(): Promise<AuthKey[]> {
    return (await this.call<{ keys: AuthKey[] }>('GET', '/keys')).keys
  }

  /** A new auth key: single-use, not ephemeral and untagged unless `key` says otherwise. */
  async createKey(key: NewKey = {}): Promise<AuthKey> {
    return await this.call('POST', '/keys', key)
  }

  async key(key: string): Promise<AuthKey> {
    return await this.call('GET', `/keys/${encodeURIComponent(key)}`)
  }

  async deleteKey(key: string): Promise<void> {
    await this.call('DELETE', `/keys/${encodeURIComponent(key)}`)
  }

  /** Lets a key expire that no node has used yet. */
  async expireKey(key: string): Promise<AuthKey> {
    return await this.call('PATCH', `/keys/${encodeURIComponent(key)}`, { expiresInSeconds: -1 })
  }

  /** A new client of Tailscale's HTTP API: with the scopes of an operator, no tags, and a secret, unless `client` says otherwise. */
  async createApiClient(client: Partial<ApiClient> = {}): Promise<ApiClient> {
    return await this.call('POST', '/oauth-clients', client)
  }

  async removeApiClient(id: string): Promise<void> {
    await this.call('DELETE', `/oauth-clients/${encodeURIComponent(id)}`)
  }

  /** Ends all tokens of the HTTP API. */
  async endApiTokens(): Promise<void> {
    await this.call('DELETE', '/oauth-tokens')
  }

  /** Changes the given settings of the HTTP API only. */
  async putApi(settings: Partial<ApiSettings>): Promise<ApiSettings> {
    return await this.call('PUT', '/api', settings)
  }

  /** Lets the HTTP API fail, after the faults that are there. */
  async addApiFault(fault: ApiFault): Promise<void> {
    await this.call('POST', '/api/faults', fault)
  }

  async removeApiFaults(): Promise<void> {
    await this.call('DELETE', '/api/faults')
  }

  /** The requests of the HTTP API after event `since`, such as `POST /tailnet/-/keys 200`. */
  async apiCalls(since = 0): Promise<string[]> {
    const { events } = await this.events(since)
    return events.flatMap(({ kind, message }) => (kind === 'api-call' ? [message] : []))
  }

  /** The logins that wait for a person. */
  async logins(): Promise<Login[]> {
    return (await this.call<{ logins: Login[] }>('GET', '/logins')).logins
  }

  async completeLogin(url: string): Promise<TailnetNode> {
    return await this.call('POST', '/login/complete', { url })
  }

  async settings(): Promise<Settings> {
    return await this.call('GET', '/settings')
  }

  /** Changes the given settings only. */
  async putSettings(settings: Partial<Settings>): Promise<Settings> {
    return await this.call('PUT', '/settings', settings)
  }

  async service(name: string): Promise<TailnetService> {
    return await this.call('GET', `/services/${name}`)
  }

  /** Creates a Tailscale Service, such as `svc:web`, or changes the given fields. */
  async putService(name: string, patch: ServicePatch = {}): Promise<TailnetService> {
    return await this.call('PUT', `/services/${name}`, patch)
  }

  async removeService(name: string): Promise<void> {
    await this.call('DELETE', `/services/${name}`)
  }

  /** Approves or holds a node as host of a Service, whatever is decided for others. */
  async approveHost(service: string, node: string | number, approved = true): Promise<TailnetService> {
    return await this.call('PUT', `/services/${service}/hosts/${encodeURIComponent(node)}`, { approved })
  }

  async putGrants(grants: readonly Grant[]): Promise<void> {
    await this.call('PUT', '/grants', { grants })
  }

  /** The names that MagicDNS answers besides those of nodes. */
  async putExtraRecords(records: readonly { name: string; value: string }[]): Promise<void> {
    await this.call('PUT', '/dns/extra-records', { records })
  }

  /** The DNS outside the tailnet, which the hosts' /etc/resolv.conf uses. */
  async putUnderlay(underlay: {
    mode?: 'normal' | 'servfail' | 'silent'
    records?: readonly DnsRecord[]
  }): Promise<void> {
    await this.call('PUT', '/dns/underlay', underlay)
  }

  /** Refuses all connections to control (and to the relay with `derp`) for a while, and ends those that are open. */
  async startOutage(outage: { seconds: number; derp?: boolean }): Promise<OutageState> {
    return await this.call('POST', '/outage', outage)
  }

  async endOutage(): Promise<void> {
    await this.call('DELETE', '/outage')
  }

  /** The events after event `since`, waiting up to `wait` seconds for one. */
  async events(since = 0, wait = 0): Promise<{ events: ControlEvent[]; last: number }> {
    return await this.call('GET', `/events?since=${since}&wait=${wait}`)
  }

  /** One request of the admin API; its answer is assumed to be a `T`. */
  call<T>(method: string, path: string, body?: unknown): Promise<T> {
    return new Promise((resolve, reject) => {
      const failed = (message: string, cause?: unknown): void =>
        reject(new CulvertError('command', `control server: ${method} ${path}: ${message}`, { cause }))
      const ask = request({ socketPath: this.#socket, method, path, timeout: patience }, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', (error) => failed('the answer broke off', error))
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString()
          const status = response.statusCode ?? 0
          if (status >= 300) failed(`${status} ${text.trim()}`)
          else resolve((text === '' ? undefined : JSON.parse(text)) as T)
        })
      })
      ask.on('timeout', () => ask.destroy(new Error(`no answer within ${patience / 1000} s`)))
      ask.on('error', (error) => failed('no answer', error))
      ask.end(body === undefined ? undefined : JSON.stringify(body))
    })
  }
}
