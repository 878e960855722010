import { CulvertError } from '../../lib/errors.ts'
import { startBed, type Bed, type HostProcess } from '../../test/lab/bed.ts'
import { writeVolume } from '../../test/lib/kubelet-volume.ts'
import { program } from '../backend.ts'
import type { Contestant } from '../contestant.ts'
import { podAddress, tailnetAddress } from '../egress/replica.ts'
import type { Side } from '../pair.ts'

/** Two clients of the tailnet. */
export const clients = {
  client: { network: 'wan', tailscaled: true },
  other: { network: 'wan', tailscaled: true },
} as const

export type Client = keyof typeof clients

/** These, a host for each side's agent, and a backend behind both. */
const hosts = {
  ...clients,
  ours: { network: 'cluster' },
  upstream: { network: 'cluster' },
  backend: { network: 'cluster' },
} as const

export type ServeBed = Bed<keyof typeof hosts>

const backendPort = 8080
/** The size of the backend's page. */
export const pageBytes = 1024

/** Starts it, with a certificate authority. */
export async function startServeBed(): Promise<ServeBed> {
  const bed = await startBed({ hosts, acme: true })
  await keepToIPv4(bed)
  const argv = [process.execPath, program('pages.ts'), String(backendPort), String(pageBytes)]
  const backend = await bed.host('backend').spawn(argv, { name: 'pages' })
  await backend.line(/^ready$/)
  return bed
}

/** Makes tunnels run over IPv4, whatever they carry. */
export async function keepToIPv4(bed: Bed<Client>): Promise<void> {
  for (const client of ['client', 'other'] as const) {
    await bed.host(client).exec(['ip', '-6', 'address', 'flush', 'dev', 'eth0'])
  }
}

const directory = '/tmp/serve'
/** The path at which a site answers with its text; everything else comes from the backend. */
export const textPath = '/text'

let made = 0

/** An agent that lets tailscaled serve an HTTPS site, with state on disk, as a process that can be restarted. */
export class Site implements AsyncDisposable {
  readonly side: Side
  readonly #bed: ServeBed
  readonly #contestant: Contestant
  readonly #node: string
  readonly #authKey: string
  #process: HostProcess | undefined

  private constructor(bed: ServeBed, side: Side, contestant: Contestant, node: string, authKey: string) {
    this.#bed = bed
    this.side = side
    this.#contestant = contestant
    this.#node = node
    this.#authKey = authKey
  }

  /** A new one that answers with `text`, not started yet. */
  static async make(bed: ServeBed, side: Side, contestant: Contestant, text: string): Promise<Site> {
    made += 1
    const site = new Site(bed, side, contestant, `site-${side}-${made}`, await bed.authKey())
    await site.say(text)
    return site
  }

  /** Its name, for which it has a certificate. */
  get name(): string {
    return `${this.#node}.lab.ts.net`
  }

  /** Its address in the tailnet, once it is a node. */
  async address(): Promise<string> {
    return await tailnetAddress(this.#bed, this.#node)
  }

  /** Writes its serve config where the agent follows it, as kubelet does. */
  async say(text: string): Promise<void> {
    const backend = `http://${podAddress(this.#bed.host('backend'))}:${backendPort}`
    const config = {
      TCP: { 443: { HTTPS: true } },
      Web: { '${TS_CERT_DOMAIN}:443': { Handlers: { '/': { Proxy: backend }, [textPath]: { Text: text } } } },
    }
    await writeVolume(this.#bed.host(this.side).path(directory), { 'serve-config.json': JSON.stringify(config) })
  }

  /** Starts the agent, and returns once tailscaled runs in the tailnet: before that it cannot be reached. */
  async start(): Promise<void> {
    this.#process = await this.#bed.host(this.side).spawn(this.#contestant.argv, {
      name: this.#node,
      env: {
        TS_USERSPACE: 'true',
        TS_HOSTNAME: this.#node,
        TS_AUTHKEY: this.#authKey,
        TS_AUTH_ONCE: 'true',
        TS_STATE_DIR: `/var/lib/${this.#node}`,
        TS_EXTRA_ARGS: `--login-server=${this.#bed.controlUrl}`,
        TS_SERVE_CONFIG: `${directory}/serve-config.json`,
        ...this.#contestant.env,
      },
    })
    await this.#process.line(/Switching ipn state Starting -> Running/, 30_000)
  }

  /** Ends the agent; its state stays on disk. */
  async stop(): Promise<void> {
    const { code, signal } = (await this.#process?.stop(30_000)) ?? { code: 0 }
    if (code !== 0) throw new CulvertError('command', `${this.#node} ended with ${signal ?? `exit code ${code}`}`)
    await this.#bed.host(this.side).exec(['rm', '-rf', '/tmp/tailscaled.sock', '/var/run/tailscale'])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process?.running === true) await this.stop()
    await this.#bed.host(this.side).exec(['rm', '-rf', directory, `/var/lib/${this.#node}`])
    await this.#bed.control.removeNode(this.#node)
  }
}
