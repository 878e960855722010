import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { CredentialFiles } from '../../../operator/api/credentials.ts'
import { onLoopback } from '../../lib/http-servers.ts'

export type Seen = {
  /** Such as `GET /api/v2/device/a`. */
  readonly what: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

type Answer = (seen: Seen, response: ServerResponse) => void

const token = 'POST /api/v2/oauth/token'

/** A control server that answers as the test says, and the files of an OAuth client. Each token is another one. */
export class ScriptedApi implements AsyncDisposable {
  readonly #server: Server
  readonly #folder = mkdtempSync(join(tmpdir(), 'culvert-'))
  readonly url: string
  /** Every request so far. */
  readonly seen: Seen[] = []
  tokens = 0
  answer: Answer = (_seen, response) => reply(response, {})
  answerToken: Answer = (_seen, response) => {
    this.tokens += 1
    reply(response, { access_token: `token-${this.tokens}`, expires_in: 3600 })
  }

  private constructor(server: Server, address: string) {
    this.#server = server
    this.url = `http://${address}`
    this.write({ id: 'client', secret: 'first-secret' })
  }

  static async start(): Promise<ScriptedApi> {
    const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      const body = await text(request)
      const seen = { what: `${request.method} ${request.url}`, headers: request.headers, body }
      api.seen.push(seen)
      if (seen.what.endsWith('/oauth/token')) api.answerToken(seen, response)
      else api.answer(seen, response)
    }
    const { server, address } = await onLoopback((request, response) => void take(request, response))
    const api = new ScriptedApi(server, address)
    return api
  }

  /** The requests besides those for tokens. */
  get calls(): Seen[] {
    return this.seen.filter(({ what }) => what !== token)
  }

  /** The requests for tokens. */
  get grants(): Seen[] {
    return this.seen.filter(({ what }) => what === token)
  }

  write(files: Readonly<Record<string, string>>): void {
    for (const [name, content] of Object.entries(files)) writeFileSync(this.file(name), content)
  }

  file(name: string): string {
    return join(this.#folder, name)
  }

  get files(): CredentialFiles {
    return { type: 'oauth-client', idFile: this.file('id'), secretFile: this.file('secret') }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
    rmSync(this.#folder, { recursive: true })
  }
}

export function reply(response: ServerResponse, value: unknown, status = 200, headers = {}): void {
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify(value))
}

/** An error in Tailscale's shape. */
export const refuse = (response: ServerResponse, status: number, message: string, headers = {}): void =>
  reply(response, { message, data: [], status }, status, headers)
