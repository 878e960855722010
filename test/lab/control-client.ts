import { request } from 'node:http'
import { CulvertError } from '../../lib/errors.ts'
import type {
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
 * Steers a bed's tailnet through the control server's admin API; docs/lab-control.md says what each call does.
 * Every call throws CulvertError `command` with the server's own words when it is refused. A node is named by its id,
 * stable id, name, full name or node key.
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

  /** Adds a node that no tailscaled is: others are told of it, and it is never there. */
  async createNode(hostname: string): Promise<TailnetNode> {
    return await this.call('POST', '/nodes', { hostname })
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

  /** A new auth key: single-use, not ephemeral and untagged unless asked for otherwise. */
  async createKey(key: NewKey = {}): Promise<AuthKey> {
    return await this.call('POST', '/keys', key)
  }

  async key(key: string): Promise<AuthKey> {
    return await this.call('GET', `/keys/${encodeURIComponent(key)}`)
  }

  async deleteKey(key: string): Promise<void> {
    await this.call('DELETE', `/keys/${encodeURIComponent(key)}`)
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

  /** Changes the settings that are named; the others stay. */
  async putSettings(settings: Partial<Settings>): Promise<Settings> {
    return await this.call('PUT', '/settings', settings)
  }

  async service(name: string): Promise<TailnetService> {
    return await this.call('GET', `/services/${name}`)
  }

  /** Defines a Tailscale Service, such as `svc:web`, or changes what is named of it. */
  async putService(name: string, patch: ServicePatch = {}): Promise<TailnetService> {
    return await this.call('PUT', `/services/${name}`, patch)
  }

  async removeService(name: string): Promise<void> {
    await this.call('DELETE', `/services/${name}`)
  }

  /** Lets a node host a Service, or holds it, whatever is said of others. */
  async approveHost(service: string, node: string | number, approved = true): Promise<TailnetService> {
    return await this.call('PUT', `/services/${service}/hosts/${encodeURIComponent(node)}`, { approved })
  }

  async putGrants(grants: readonly Grant[]): Promise<void> {
    await this.call('PUT', '/grants', { grants })
  }

  /** The names that MagicDNS answers beside those of nodes. */
  async putExtraRecords(records: readonly { name: string; value: string }[]): Promise<void> {
    await this.call('PUT', '/dns/extra-records', { records })
  }

  /** The DNS of the world outside of the tailnet, which the hosts' /etc/resolv.conf leads to. */
  async putUnderlay(underlay: {
    mode?: 'normal' | 'servfail' | 'silent'
    records?: readonly DnsRecord[]
  }): Promise<void> {
    await this.call('PUT', '/dns/underlay', underlay)
  }

  /** Refuses all connections to control (and to the relay with `derp`) for a while, ending those that are open. */
  async startOutage(outage: { seconds: number; derp?: boolean }): Promise<OutageState> {
    return await this.call('POST', '/outage', outage)
  }

  async endOutage(): Promise<void> {
    await this.call('DELETE', '/outage')
  }

  /** What happened after event `since`, waiting up to `wait` seconds for something. */
  async events(since = 0, wait = 0): Promise<{ events: ControlEvent[]; last: number }> {
    return await this.call('GET', `/events?since=${since}&wait=${wait}`)
  }

  /** One request of the admin API; what it answers is taken to be a `T`. */
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
