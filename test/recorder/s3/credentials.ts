import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { accessKeyId, secretAccessKey } from './keys.ts'
import { sessionToken } from './session.ts'

/** What Pods and machines get their credentials from: AWS's token service, the instance's metadata, the container's role. */
export class CredentialsServer implements AsyncDisposable {
  readonly #server: Server
  /** What is accepted as the web identity, the token of the instance's metadata, and that of the container. */
  readonly token = 'the-right-token'
  /** The requests that got credentials. */
  readonly given: string[] = []

  private constructor() {
    this.#server = createServer((request, response) => void this.#answer(request, response))
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = request
    const form = new URLSearchParams(await text(request))
    const give = (kind: string, body: string): void => {
      this.given.push(kind)
      response.end(body)
    }
    const keys = {
      AccessKeyId: accessKeyId,
      SecretAccessKey: secretAccessKey,
      Token: sessionToken,
      Expiration: later(),
    }
    const what = `${method} ${url}`
    if (what === 'PUT /latest/api/token') response.end(this.token)
    else if (what === 'POST /' && form.get('Action') === 'AssumeRoleWithWebIdentity') {
      if (form.get('WebIdentityToken') === this.token) give(`web identity of ${form.get('RoleArn')}`, assumed())
      else response.writeHead(400).end(stsError('InvalidIdentityToken'))
    } else if (what === 'GET /container' && headers.authorization === this.token)
      give('container', JSON.stringify(keys))
    else if (url.startsWith('/latest/') && headers['x-aws-ec2-metadata-token'] === this.token)
      if (url.endsWith('/security-credentials/')) response.end('role')
      else give('instance', JSON.stringify({ Code: 'Success', ...keys }))
    else response.writeHead(403).end()
  }

  static async start(): Promise<CredentialsServer> {
    const server = new CredentialsServer()
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve))
    return server
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

const later = (): string => new Date(Date.now() + 3_600_000).toISOString()

const assumed = (): string =>
  `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>${accessKeyId}</AccessKeyId><SecretAccessKey>${secretAccessKey}</SecretAccessKey><SessionToken>${sessionToken}</SessionToken><Expiration>${later()}</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`
const stsError = (code: string): string =>
  `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>${code}</Code><Message>no</Message></Error></ErrorResponse>`
