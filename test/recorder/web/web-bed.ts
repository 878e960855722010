import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { capability } from '../../../recorder/web/capability.ts'
import { aWhois } from '../../apiserver/a-whois.ts'
import { header, RecorderBed } from '../recorder-bed.ts'

/** What devices of the bed may see: 100.64.0.7 all, and 100.64.0.9 nothing. */
export const all = [{ who: ['*'] }]

/** Addresses of devices whose recordings come from them. */
export const [viewer, stranger] = ['100.64.0.7', '100.64.0.9']

/** A request to an API server, as its proxy sends it. */
export const aRequest = (path: string, node = 'laptop.lab.ts.net', nodeUser = 'alice@example.com') => ({
  request: { method: 'GET', path, body: '' },
  kubernetes: { Namespace: 'shop', Resource: 'secrets', Name: 'password' },
  source: { node, nodeUser },
})

/** The addresses of what a list has, in its order. */
export const listed = (body: string): string[] => [...body.matchAll(/href="(\/see\/[^"]+)"/g)].map(([, path]) => path!)

/** A recorder with its web page, whose policy is the test's. */
export class WebBed implements AsyncDisposable {
  readonly recorder: RecorderBed
  /** The rules of the capability by address; undefined: it is not granted. */
  readonly rules = new Map<string, unknown>([[viewer, all]])

  private constructor(recorder: RecorderBed) {
    this.recorder = recorder
    recorder.tailscaled.whois = (address) => {
      const rules = this.rules.get(address)
      const capMap = rules === undefined ? {} : { [capability]: rules }
      return aWhois(address, { capMap, login: address === viewer ? 'alice@example.com' : 'bob@example.com' })
    }
    recorder.tailscaled.peers = { key: { ID: 'nLaptop', DNSName: 'prod-k8s.lab.ts.net.', Tags: ['tag:k8s'] } }
  }

  /** `prepare` fills the directory of recordings before the recorder starts. */
  static async start(prepare?: Parameters<typeof RecorderBed.start>[1]): Promise<WebBed> {
    return new WebBed(await RecorderBed.start({ TSRECORDER_UI: 'true' }, prepare))
  }

  /** What the page at a path is for a device. */
  async page(path: string, from = viewer, headers: Readonly<Record<string, string>> = {}) {
    return this.recorder.browse(path, from, { headers })
  }

  /** Uploads a recording with these fields in its header; gives its key. */
  async record(fields: object, ...lines: readonly string[]): Promise<string> {
    const before = new Set(this.recorder.files)
    const upload = await (await this.recorder.upload()).begun()
    await upload.write(header(fields) + lines.join(''))
    await upload.end()
    return this.recorder.files.find((file) => file.endsWith('.cast') && !before.has(file))!
  }

  /** Uploads an event; gives its key. */
  async request(event: object): Promise<string> {
    const before = new Set(this.recorder.files)
    const { status } = await this.recorder.ask({ method: 'POST', path: '/v2/event' }, JSON.stringify(event))
    if (status !== 200) throw new Error(`the event was refused: ${status}`)
    return this.recorder.files.find((file) => file.endsWith('.json') && !before.has(file))!
  }

  /** What tailscaled is to the browser of a device, without TLS; gives the address of the page. */
  async front(from = viewer): Promise<{ readonly url: string } & AsyncDisposable> {
    const join = async (socket: Socket): Promise<void> => {
      const other = await this.recorder.open(from, this.recorder.webPort)
      socket.pipe(other).pipe(socket)
      socket.on('close', () => other.destroy())
    }
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy())
      join(socket).catch(() => socket.destroy())
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      [Symbol.asyncDispose]: async () => void server.close(),
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.recorder[Symbol.asyncDispose]()
  }
}
