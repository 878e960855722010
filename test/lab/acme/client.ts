import { readFile } from 'node:fs/promises'
import { request } from 'node:http'
import { CulvertError } from '../../../lib/errors.ts'
import { patience } from '../patience.ts'
import type { acmePaths } from './paths.ts'
import type { AcmeFault, AcmeOrder, AcmeRequest, Journal } from './faults.ts'

/** A bed's certificate authority as tests use it: the requests that it had, and faults in front of it. */
export class Acme {
  readonly #paths: ReturnType<typeof acmePaths>

  constructor(paths: ReturnType<typeof acmePaths>) {
    this.#paths = paths
  }

  /** The certificates that a client must trust: the authority's own, and the root of those that it issues. PEM. */
  async trust(): Promise<string> {
    return await readFile(this.#paths.trust, 'utf8')
  }

  /** From now on requests meet this fault, instead of a previous one. */
  async fault(fault: AcmeFault): Promise<void> {
    await this.#call('PUT', '/fault', fault)
  }

  /** Ends the fault; requests that are still unanswered are aborted. */
  async recover(): Promise<void> {
    await this.#call('DELETE', '/fault')
  }

  /** The orders that the authority accepted, oldest first; only those for a name, if given. */
  async orders(domain?: string): Promise<AcmeOrder[]> {
    const { orders } = await this.#call<Journal>('GET', '/journal')
    return orders.filter(({ domains }) => domain === undefined || domains.includes(domain))
  }

  /** All requests, oldest first, including those that met a fault. */
  async requests(resource?: string): Promise<AcmeRequest[]> {
    const { requests } = await this.#call<Journal>('GET', '/journal')
    return requests.filter((one) => resource === undefined || one.resource === resource)
  }

  #call<T>(method: string, path: string, body?: unknown): Promise<T> {
    return new Promise((resolve, reject) => {
      const failed = (message: string, cause?: unknown): void =>
        reject(
          new CulvertError('command', `gateway of the certificate authority: ${method} ${path}: ${message}`, { cause }),
        )
      const asking = request({ socketPath: this.#paths.socket, method, path, timeout: patience }, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', (error) => failed('the answer broke off', error))
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString()
          if (response.statusCode === 200) resolve(JSON.parse(text) as T)
          else failed(`${response.statusCode} ${text}`)
        })
      })
      asking.on('timeout', () => asking.destroy(new Error(`no answer within ${patience / 1000} s`)))
      asking.on('error', (error) => failed('no answer', error))
      asking.end(body === undefined ? undefined : JSON.stringify(body))
    })
  }
}
