import type { IncomingMessage, ServerResponse } from 'node:http'
import { ApiServer, json, type Seen } from '../kube/api-server.ts'

/** Keys of a Secret and their values, decoded. */
export type Texts = Readonly<Record<string, string>>

/** One key of the Secret: base64, or null to remove it. */
type Change = readonly [key: string, value: string | null]

const review = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews'
const secret = '/api/v1/namespaces/default/secrets/tailscale'

/**
 * A Kubernetes API server with one Secret, controlled by a scenario. It answers a PATCH with an empty body, and drops
 * the connection of a denied PATCH and of any unknown request.
 */
export class KubeApi implements AsyncDisposable {
  readonly #server: ApiServer
  /** The content of the Secret. */
  readonly #data = new Map<string, string>()
  /** Verbs that reviews deny. */
  readonly #denied: ReadonlySet<string>
  /** Requests that must not be made, such as a denied PATCH. */
  readonly forbidden: string[] = []
  /** Drops all connections. */
  gone = false

  private constructor(server: ApiServer, denied: readonly string[]) {
    this.#server = server
    this.#denied = new Set(denied)
    server.write({ namespace: 'default', token: 'bearer_token' })
    server.answer = (...exchange) => this.#answer(...exchange)
  }

  static async start(texts: Texts, denied: readonly string[]): Promise<KubeApi> {
    const api = new KubeApi(await ApiServer.start(), denied)
    api.edit(texts)
    return api
  }

  /** A directory of this server with the files of a service account. */
  get root(): string {
    return this.#server.root
  }

  get port(): string {
    return this.#server.cluster.port
  }

  get texts(): Texts {
    return Object.fromEntries(this.#data)
  }

  /** Changes keys as another client. */
  edit(texts: Texts): void {
    for (const [key, text] of Object.entries(texts)) this.#data.set(key, text)
  }

  #answer(seen: Seen, response: ServerResponse, request: IncomingMessage): void {
    const asked = `${seen.method} ${seen.url?.split('?')[0]}`
    const drop = (): unknown => request.socket.destroy()
    if (this.gone || seen.headers.authorization !== 'Bearer bearer_token') drop()
    else if (asked === `POST ${review}`) json(response, { status: { allowed: this.#allows(seen.body) } })
    else if (asked === `GET ${secret}`) json(response, { data: this.#encoded() })
    else if (asked === `PATCH ${secret}` && !this.#denied.has('patch') && this.#patch(seen)) response.end()
    else {
      if (seen.method !== 'GET') this.forbidden.push(asked)
      drop()
    }
  }

  #allows(body: string): boolean {
    const { spec } = JSON.parse(body) as { spec: { resourceAttributes: { verb: string } } }
    return !this.#denied.has(spec.resourceAttributes.verb)
  }

  #encoded(): Texts {
    return Object.fromEntries([...this.#data].map(([key, text]) => [key, Buffer.from(text).toString('base64')]))
  }

  /** False for an unknown patch. */
  #patch({ headers, body }: Seen): boolean {
    const changes = readers[headers['content-type'] ?? '']?.(JSON.parse(body))
    for (const [key, value] of changes ?? []) {
      if (value === null) this.#data.delete(key)
      else this.#data.set(key, Buffer.from(value, 'base64').toString())
    }
    return changes !== undefined
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]()
  }
}

/** The changes in a patch of each kind; undefined if it changes more than keys of the Secret. */
const readers: Readonly<Record<string, (patch: unknown) => readonly Change[] | undefined>> = {
  'application/strategic-merge-patch+json': (patch) => Object.entries((patch as { data: Record<string, string> }).data),
  'application/json-patch+json': (patch) => {
    const operations = patch as readonly { op: string; path: string; value?: string }[]
    if (!operations.every(({ path }) => path.startsWith('/data/'))) return undefined
    return operations.map(({ op, path, value }) => [
      path.slice('/data/'.length),
      op === 'remove' ? null : (value ?? ''),
    ])
  },
}
