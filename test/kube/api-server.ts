import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { kubeClient, type KubeClient } from '../../kube/client.ts'
import type { InCluster } from '../../kube/service-account.ts'
import { run } from '../lab/run.ts'

export type Seen = {
  readonly method: string | undefined
  readonly url: string | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** Answers a request as the API server, in whatever way the test wants. */
export type Answer = (seen: Seen, response: ServerResponse, request: IncomingMessage) => void

type Certificate = { readonly key: string; readonly cert: string }

/** A self-signed certificate for `names` such as `IP:::1`. */
export async function certificateFor(...names: readonly string[]): Promise<Certificate> {
  const folder = mkdtempSync(join(tmpdir(), 'culvert-'))
  try {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key]
    const subject = ['-subj', '/CN=api', '-addext', `subjectAltName=${names.join(',')}`]
    await run(['openssl', 'req', '-x509', '-days', '2', ...newKey, ...subject, '-out', cert])
    return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

let own: Promise<Certificate> | undefined

/** An HTTPS server on this machine that answers as the test says, and the service account's files for its clients. */
export class ApiServer implements AsyncDisposable {
  readonly #server: Server
  readonly root = mkdtempSync(join(tmpdir(), 'culvert-'))
  readonly cluster: InCluster
  /** The certificate authority of its certificate. */
  readonly ca: string
  /** Every request so far. */
  readonly seen: Seen[] = []
  connections = 0
  answer: Answer = () => {}

  private constructor(server: Server, host: string, ca: string) {
    this.#server = server
    const { port } = server.address() as AddressInfo
    this.ca = ca
    this.cluster = { root: this.root, host, port: String(port), addressFromEnv: true }
    this.write({ namespace: 'ts\n', token: 'first-token\n', 'ca.crt': ca })
    server.on('secureConnection', () => (this.connections += 1))
    server.on('request', (request, response) => void this.#take(request, response))
  }

  static async start(host = '127.0.0.1', certificate?: Certificate): Promise<ApiServer> {
    own ??= certificateFor('IP:127.0.0.1', 'IP:::1')
    const { key, cert } = certificate ?? (await own)
    const server = createServer({ key, cert })
    await new Promise<void>((resolve, reject) => server.on('error', reject).listen(0, host, resolve))
    return new ApiServer(server, host, cert)
  }

  /** Writes files of the service account. */
  write(files: Readonly<Record<string, string>>): void {
    const folder = join(this.root, 'var/run/secrets/kubernetes.io/serviceaccount')
    mkdirSync(folder, { recursive: true })
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
  }

  client(timeoutMs?: number): KubeClient {
    return kubeClient(this.cluster, timeoutMs)
  }

  /** Closes all connections. */
  cut(): void {
    this.#server.closeAllConnections()
  }

  /** The number of open connections. */
  open(): Promise<number> {
    return new Promise((resolve, reject) =>
      this.#server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
    )
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url, headers } = request
    const seen = { method, url, headers, body: await text(request) }
    this.seen.push(seen)
    this.answer(seen, response, request)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut()
    await new Promise((resolve) => this.#server.close(resolve))
    rmSync(this.root, { recursive: true })
  }
}

/** A Secret as the API sends it; values are given decoded. */
export const secretJson = (name: string, resourceVersion: string, values: Readonly<Record<string, string>> = {}) => ({
  kind: 'Secret',
  apiVersion: 'v1',
  metadata: { name, namespace: 'ts', uid: 'u', resourceVersion, creationTimestamp: null },
  data: Object.fromEntries(Object.entries(values).map(([key, value]) => [key, Buffer.from(value).toString('base64')])),
  type: 'Opaque',
})

/** A Status object as the API sends it with an error. */
export const statusJson = (code: number, reason: string, message: string) => ({
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Failure',
  message,
  reason,
  code,
})

export const json = (response: ServerResponse, value: unknown, status = 200, headers = {}): void => {
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify(value))
}

/** Why a promise was rejected. */
export const reasonOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => Promise.reject(new Error(`it gave ${JSON.stringify(value)}`)),
    (reason: unknown) => reason,
  )
