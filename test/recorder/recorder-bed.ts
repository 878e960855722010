import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { type IncomingMessage, request as httpRequest, type RequestOptions } from 'node:http'
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { proxyHeader } from '../apiserver/proxy-header.ts'
import { Tailscaled } from '../apiserver/tailscaled.ts'
import { poll } from '../lab/poll.ts'
import { Uploading } from './uploading.ts'

/** The bundle under test; the test command builds it. */
const bundle = join(import.meta.dirname, '..', '..', 'dist', 'recorder.js')

/** The first line of a recording. */
export const header = (fields: object = {}): string =>
  `${JSON.stringify({ version: 2, width: 80, height: 24, timestamp: 1_700_000_000, srcNode: 'laptop.lab.ts.net', srcNodeUser: 'alice@example.com', ...fields })}\n`
/** A line of output. */
export const output = (seconds: number, shown: string): string => `${JSON.stringify([seconds, 'o', shown])}\n`

type Line = Readonly<Record<string, unknown>>

/** The recorder as a process of its own, beside a scripted tailscaled. */
export class RecorderBed implements AsyncDisposable {
  readonly root: string
  readonly tailscaled: Tailscaled
  readonly #env: Readonly<Record<string, string>>
  readonly #kept: string | undefined
  #child: ChildProcess | undefined
  #undo: () => Promise<unknown> = async () => {}
  #log = ''
  #printed = ''
  #port = 0
  #healthPort = 0
  /** Where the web page listens, if there is one. */
  webPort = 0

  private constructor(
    root: string,
    tailscaled: Tailscaled,
    env: Readonly<Record<string, string>>,
    kept: string | undefined,
  ) {
    this.root = root
    this.tailscaled = tailscaled
    this.#env = env
    this.#kept = kept
  }

  /**
   * `prepare` runs with the directory that the recorder writes to before it starts, and gives what undoes it. `kept`:
   * where the objects of a bucket are, if recordings go there.
   */
  static async start(
    env: Readonly<Record<string, string>> = {},
    prepare?: (directory: string) => Promise<() => Promise<unknown>>,
    kept?: string,
  ): Promise<RecorderBed> {
    const root = mkdtempSync(join(tmpdir(), 'culvert-'))
    const bed = new RecorderBed(root, await Tailscaled.start(join(root, 'tailscaled.sock')), env, kept)
    const directory = kept === undefined ? bed.directory : bed.spool
    mkdirSync(directory)
    if (prepare) bed.#undo = await prepare(directory)
    await bed.run()
    return bed
  }

  /** Where recordings are kept. */
  get directory(): string {
    return this.#kept ?? this.#env['TSRECORDER_DST'] ?? join(this.root, 'recordings')
  }

  /** Where they are before they are in a bucket. */
  get spool(): string {
    return join(this.root, 'spool')
  }

  /** Resolves when nothing has to be uploaded any more. */
  async settled(): Promise<void> {
    if (this.#kept === undefined) return
    await poll('everything is in S3', async () => (await this.metric('culvert_recorder_spool')) === 0 || undefined)
  }

  /** Starts the recorder, and waits until it listens. */
  async run(): Promise<void> {
    this.#log = ''
    const child = spawn('/usr/bin/setpriv', ['--pdeathsig', 'KILL', '--', process.execPath, bundle], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        TSRECORDER_DST: this.directory,
        ...(this.#kept !== undefined && { CULVERT_RECORDER_SPOOL: this.spool }),
        TS_SOCKET: join(this.root, 'tailscaled.sock'),
        CULVERT_RECORDER_LISTEN: '127.0.0.2:0',
        CULVERT_RECORDER_WEB_LISTEN: '127.0.0.2:0',
        CULVERT_RECORDER_PORT: '0',
        ...this.#env,
      },
    })
    this.#child = child
    child.stdout.setEncoding('utf8').on('data', (some: string) => (this.#printed += some))
    child.stderr.setEncoding('utf8').on('data', (some: string) => (this.#log += some))
    const [, port, health] = await this.logged(/listens on [\d.]+:(\d+), and for probes on port (\d+)/)
    this.#port = Number(port)
    this.#healthPort = Number(health)
    this.webPort = Number(/serves the web page on [\d.]+:(\d+)/.exec(this.#log)?.[1] ?? 0)
  }

  get pid(): number {
    return this.#child!.pid!
  }

  /** A match in the log since the last start, when there is one. */
  logged(pattern: RegExp): Promise<RegExpExecArray> {
    return poll(`${pattern} in the log`, () => {
      if (this.#child?.exitCode !== null || this.#child.signalCode !== null)
        throw new Error(`the recorder has ended: ${this.#log}`)
      return pattern.exec(this.#log) ?? undefined
    })
  }

  get log(): string {
    return this.#log
  }

  /** The lines that it has printed about recordings. */
  get printed(): Line[] {
    return this.#printed
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Line)
  }

  /** A connection of a peer, as tailscaled opens it. */
  async open(from = '100.64.0.7', port = this.#port): Promise<Socket> {
    const socket = await this.openBare(port)
    socket.write(proxyHeader(from, 4711))
    return socket
  }

  /** A connection without a PROXY header. */
  async openBare(port = this.#port): Promise<Socket> {
    const socket = connect({ host: '127.0.0.2', port, noDelay: true })
    socket.on('error', () => {})
    await once(socket, 'connect')
    return socket
  }

  /** A connection of HTTP/2, as all clients open it. */
  async openHttp2(from?: string): Promise<ClientHttp2Session> {
    return http2On(await this.open(from))
  }
  /** Begins to upload by the second version of the protocol. */
  async upload(from?: string): Promise<Uploading> {
    return new Uploading(await this.openHttp2(from))
  }

  /** The same without a PROXY header. */
  async uploadBare(): Promise<Uploading> {
    return new Uploading(http2On(await this.openBare()))
  }

  /** A request of HTTP/1.1. */
  async ask(options: RequestOptions, body?: string, from?: string, port?: number) {
    const socket = await this.open(from, port)
    const request = httpRequest({ createConnection: () => socket, ...options })
    request.on('error', () => {})
    request.end(body)
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    return { status: response.statusCode, headers: response.headers, body: await text(response) }
  }

  /** What the web page answers to a device. */
  browse(path: string, from?: string, options: RequestOptions = {}) {
    return this.ask({ path, ...options }, undefined, from, this.webPort)
  }

  /** The answer of the port for probes. */
  async probe(path: string): Promise<{ readonly status: number; readonly body: string }> {
    const response = await fetch(`http://127.0.0.1:${this.#healthPort}${path}`)
    return { status: response.status, body: await response.text() }
  }

  /** The value of a metric. */
  async metric(name: string): Promise<number | undefined> {
    const { body } = await this.probe('/metrics')
    const line = body.split('\n').find((one) => one.startsWith(`${name} `))
    return line === undefined ? undefined : Number(line.slice(name.length + 1))
  }

  /** All files that are kept, by their paths. */
  get files(): string[] {
    return filesIn(this.directory)
  }

  /** The same of the spool. */
  get spooled(): string[] {
    return filesIn(this.spool)
  }

  read(file: string): string {
    return readFileSync(join(this.directory, file), 'utf8')
  }

  /** The lines of the only recording, when it is finished. */
  async recording(): Promise<string[]> {
    const file = await poll('a finished recording', () => {
      const [first, ...more] = this.files
      return first?.endsWith('.cast') && more.length === 0 ? first : undefined
    })
    return this.read(file).split('\n').slice(0, -1)
  }

  /** Ends it; gives the exit code, or null after SIGKILL. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> {
    const child = this.#child!
    const exited = once(child, 'exit').then(([code]) => code as number | null)
    child.kill(signal)
    return exited
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const child = this.#child
    if (child && child.exitCode === null && child.signalCode === null) await this.end('SIGKILL')
    await this.tailscaled[Symbol.asyncDispose]()
    await this.#undo()
    rmSync(this.root, { recursive: true, force: true })
  }
}

/** The paths of all files below a directory. Those of S3 servers that are no objects are left out. */
function filesIn(directory: string): string[] {
  if (!existsSync(directory)) return []
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .filter((file) => !file.startsWith('.sgwtmp/'))
    .toSorted()
}

function http2On(socket: Socket): ClientHttp2Session {
  const session = connectHttp2('http://recorder', { createConnection: () => socket })
  session.on('error', () => {})
  return session
}
