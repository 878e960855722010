import { urlOf } from '../kube/endpoint.ts'
import { endpointOf, type InCluster, serviceAccount } from '../kube/service-account.ts'
import { type HttpPool, httpPool, type PassedAnswer, type PassedRequest } from '../lib/http-client.ts'
import { Refused } from './refused.ts'

/** In milliseconds: an unused connection is kept for less time than the API server keeps it. */
const [connectMs, idleMs, probeMs] = [10_000, 30_000, 30_000]

/** The API server, which is asked over HTTP/1.1: connections cannot change their protocol in HTTP/2. */
export class Upstream {
  readonly #account: ReturnType<typeof serviceAccount>
  readonly #url: string
  readonly #fallback: ReturnType<typeof endpointOf>['fallback']
  #current: { readonly ca: string; readonly pool: HttpPool } | undefined

  constructor(cluster: InCluster) {
    const { fallback, ...endpoint } = endpointOf(cluster)
    this.#account = serviceAccount(cluster.root)
    this.#url = urlOf(endpoint)
    this.#fallback = fallback
  }

  /**
   * The value of Authorization by which the proxy itself is known.
   * @throws Refused if its token cannot be read
   */
  authorization(): string {
    return `Bearer ${readable(this.#account.token)}`
  }

  /**
   * Passes a request on.
   * @throws Refused if there is no authority to trust, or no answer
   */
  async pass(request: PassedRequest): Promise<PassedAnswer> {
    const pool = this.#poolFor(readable(this.#account.ca))
    try {
      return await pool.pass(request)
    } catch (error) {
      throw new Refused(502, 'upstream', 'the API server did not answer', error)
    }
  }

  /** Another authority means other connections; what is open goes on. */
  #poolFor(ca: string): HttpPool {
    if (this.#current?.ca !== ca) {
      void this.#current?.pool.close()
      const pool = httpPool(this.#url, { tls: { ca }, connectMs, idleMs, probeMs, fallback: this.#fallback })
      this.#current = { ca, pool }
    }
    return this.#current.pool
  }
}

function readable(read: () => string): string {
  try {
    return read()
  } catch (error) {
    throw new Refused(500, 'credentials', "the proxy's own credentials cannot be read", error)
  }
}
