import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type IncomingHttpHeaders, request as httpRequest } from 'node:http'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { poll } from '../lab/poll.ts'
import { proxyHeader } from './proxy-header.ts'
import { Tailscaled } from './tailscaled.ts'
import { Upstream } from './upstream.ts'

/** The bundle under test; the test command builds it. */
const bundle = join(import.meta.dirname, '..', '..', 'dist', 'apiserver.js')

export type Asked = {
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string | string[]>>
  readonly body?: string
  /** The address of the peer. */
  readonly from?: string
}
export type Answered = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: string }

type Line = Readonly<Record<string, unknown>>

/** The proxy as a process of its own, between a scripted tailscaled and a server that records what is passed on. */
export class ProxyBed implements AsyncDisposable {
  readonly root: string
  readonly upstream: Upstream
  readonly tailscaled: Tailscaled
  #child: ChildProcess | undefined
  #log = ''
  #audit = ''
  #port = 0
  /** The port for probes. */
  healthPort = 0

  private constructor(root: string, upstream: Upstream, tailscaled: Tailscaled) {
    this.root = root
    this.upstream = upstream
    this.tailscaled = tailscaled
  }

  /**
   * `env` is beside where everything is, and may name the bed's files by `ROOT/`; by default, tailscaled ends TLS.
   * `prepare` runs before the proxy starts.
   */
  static async start(
    env: Readonly<Record<string, string>>,
    prepare: (bed: ProxyBed) => void = () => {},
  ): Promise<ProxyBed> {
    const root = mkdtempSync(join(tmpdir(), 'culvert-'))
    const upstream = await Upstream.start()
    const bed = new ProxyBed(root, upstream, await Tailscaled.start(join(root, 'tailscaled.sock')))
    bed.writeAccount({ token: 'proxy-token\n', 'ca.crt': upstream.ca })
    prepare(bed)
    await bed.#run(env)
    return bed
  }

  /** Writes files of the service account. */
  writeAccount(files: Readonly<Record<string, string>>): void {
    const folder = join(this.root, 'var/run/secrets/kubernetes.io/serviceaccount')
    mkdirSync(folder, { recursive: true })
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
  }

  async #run(env: Readonly<Record<string, string>>): Promise<void> {
    const child = spawn('/usr/bin/setpriv', ['--pdeathsig', 'KILL', '--', process.execPath, bundle], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        TS_TEST_ONLY_ROOT: this.root,
        TS_SOCKET: join(this.root, 'tailscaled.sock'),
        CULVERT_APISERVER_LISTEN: '127.0.0.2:0',
        CULVERT_APISERVER_PORT: '0',
        CULVERT_APISERVER_TLS: 'false',
        KUBERNETES_SERVICE_HOST: '127.0.0.1',
        KUBERNETES_SERVICE_PORT_HTTPS: String(this.upstream.port),
        ...Object.fromEntries(
          Object.entries(env).map(([name, value]) => [name, value.replace('ROOT/', `${this.root}/`)]),
        ),
      },
    })
    this.#child = child
    child.stdout.setEncoding('utf8').on('data', (some: string) => (this.#audit += some))
    child.stderr.setEncoding('utf8').on('data', (some: string) => (this.#log += some))
    const [, port, health] = await this.logged(/listens on 127\.0\.0\.2:(\d+), and for probes on port (\d+)/)
    this.#port = Number(port)
    this.healthPort = Number(health)
    await poll('the proxy is ready', async () => ((await this.probe('/readyz')).status === 200 ? true : undefined))
  }

  /** A match in the log, when there is one. */
  logged(pattern: RegExp): Promise<RegExpExecArray> {
    return poll(`${pattern} in the log`, () => {
      if (this.#child?.exitCode !== null) throw new Error(`the proxy has ended: ${this.#log}`)
      return pattern.exec(this.#log) ?? undefined
    })
  }

  /** All that it has said so far, in the audit and in the log. */
  get said(): string {
    return this.#audit + this.#log
  }

  /** All lines of the audit so far. */
  get audit(): Line[] {
    return this.#audit
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Line)
  }

  /** The first line of the audit that has these fields. */
  audited(fields: Line): Promise<Line> {
    const isIt = (line: Line): boolean => Object.entries(fields).every(([name, value]) => line[name] === value)
    return poll(`${JSON.stringify(fields)} in the audit`, () => this.audit.find(isIt))
  }

  /** A connection of a peer, as tailscaled opens it. */
  async open(from = '100.64.0.7'): Promise<Socket> {
    const socket = await this.openBare()
    socket.write(proxyHeader(from, 4711))
    return socket
  }

  /** A connection without a PROXY header. */
  async openBare(): Promise<Socket> {
    const socket = connect({ host: '127.0.0.2', port: this.#port, noDelay: true })
    socket.on('error', () => {})
    await once(socket, 'connect')
    return socket
  }

  /** Sends bytes, and gives all that comes until the proxy ends the connection. */
  async raw(bytes: string | Buffer, socket?: Socket): Promise<string> {
    const connection = socket ?? (await this.open())
    const chunks: Buffer[] = []
    connection.on('data', (chunk) => chunks.push(chunk))
    const closed = once(connection, 'close')
    connection.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
    await closed
    return Buffer.concat(chunks).toString('latin1')
  }

  /** A request of HTTP/1.1 with a connection of its own. */
  async ask({ method = 'GET', path = '/api', headers = {}, body, from }: Asked = {}): Promise<Answered> {
    const socket = await this.open(from)
    return new Promise((resolve, reject) => {
      const request = httpRequest({ createConnection: () => socket, method, path, headers })
      request.on('error', reject)
      request.on('response', (response) => {
        const { statusCode = 0, headers: its } = response
        text(response).then((all) => resolve({ status: statusCode, headers: its, body: all }), reject)
      })
      request.end(body)
    })
  }

  /** The answer of the port for probes. */
  async probe(path: string): Promise<{ readonly status: number; readonly body: string }> {
    const response = await fetch(`http://127.0.0.1:${this.healthPort}${path}`)
    return { status: response.status, body: await response.text() }
  }

  /** Sends SIGTERM; gives what resolves to the exit code. */
  terminate(): Promise<number | null> {
    const child = this.#child!
    const exited = once(child, 'exit').then(([code]) => code as number | null)
    child.kill('SIGTERM')
    return exited
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const child = this.#child
    if (child && child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    }
    await this.upstream[Symbol.asyncDispose]()
    await this.tailscaled[Symbol.asyncDispose]()
    rmSync(this.root, { recursive: true, force: true })
  }
}
