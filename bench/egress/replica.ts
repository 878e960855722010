import { isIPv4 } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { CulvertError } from '../../lib/errors.ts'
import { SecretBed } from '../../test/agent/secret-bed.ts'
import { startBed, type Bed, type HostProcess } from '../../test/lab/bed.ts'
import type { Host } from '../../test/lab/hosts/host.ts'
import { poll } from '../../test/lab/poll.ts'
import { writeVolume } from '../../test/lib/kubelet-volume.ts'
import type { Contestant } from '../contestant.ts'
import type { Side } from '../pair.ts'
import { processorTime } from './processor-time.ts'
import { documentOf, type Service } from './services.ts'

/** A peer of the tailnet, a host for each side's agent, and a client in the cluster. */
const hosts = {
  client: { network: 'wan', tailscaled: true },
  ours: { network: 'cluster' },
  upstream: { network: 'cluster' },
  app: { network: 'cluster' },
} as const

export type EgressBed = Bed<keyof typeof hosts>

/** Starts the bed, with an API server. Tunnels run over IPv4, whatever they carry. */
export async function startEgressBed(): Promise<EgressBed> {
  const bed = await startBed({ hosts, cluster: { nodes: 0 } })
  await bed.host('client').exec(['ip', '-6', 'address', 'flush', 'dev', 'eth0'])
  return bed
}

const directory = '/tmp/egress'

/** An agent running as a replica of a ProxyGroup for egress, as an operator makes it. */
export class Replica implements AsyncDisposable {
  readonly side: Side
  readonly process: HostProcess
  /** Milliseconds from the start of the process until its status listed all services. */
  readonly listedAfter: number
  readonly #bed: EgressBed
  readonly #secret: SecretBed

  private constructor(bed: EgressBed, side: Side, secret: SecretBed, process: HostProcess, listedAfter: number) {
    this.#bed = bed
    this.side = side
    this.#secret = secret
    this.process = process
    this.listedAfter = listedAfter
  }

  /** Starts it as a new node that is to forward `list`, and returns once its status lists that. */
  static async start(bed: EgressBed, side: Side, contestant: Contestant, list: readonly Service[]): Promise<Replica> {
    const host = bed.host(side)
    const secret = await SecretBed.make(bed, `egress-${side}`, { texts: { authkey: await bed.authKey() }, host: side })
    await host.exec(['sysctl', '--quiet', '--write', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'])
    await mount(bed, side, list)
    const env = {
      ...secret.env(),
      TS_USERSPACE: 'false',
      TS_HOSTNAME: `egress-${side}`,
      TS_EXTRA_ARGS: `--login-server=${bed.controlUrl}`,
      TS_DEBUG_FIREWALL_MODE: 'nftables',
      TS_EGRESS_PROXIES_CONFIG_PATH: directory,
      TS_LOCAL_ADDR_PORT: `${host.address.v4}:9002`,
      POD_IP: host.address.v4,
      POD_IPS: `${host.address.v4},${host.address.v6}`,
    }
    const begun = performance.now()
    const process = await host.spawn(contestant.argv, { name: `egress-${side}`, env: { ...env, ...contestant.env } })
    await process.line(/Startup complete, waiting for shutdown signal/, 30_000)
    await listed(process, secret, list)
    return new Replica(bed, side, secret, process, performance.now() - begun)
  }

  /** Changes the mounted files, and returns once the agent's status lists the change. */
  async forward(list: readonly Service[]): Promise<void> {
    await this.mount(list)
    await this.listed(list)
  }

  async mount(list: readonly Service[]): Promise<void> {
    await mount(this.#bed, this.side, list)
  }

  /** Returns once the agent's status lists exactly these, and a moment later. */
  async listed(list: readonly Service[]): Promise<void> {
    await listed(this.process, this.#secret, list)
    // Work that follows the writing of the status belongs to the change, too.
    await delay(300)
  }

  /** Milliseconds of CPU time so far: of the agent and its children, without tailscaled. */
  get processorTime(): number {
    return processorTime(this.process.pid, ['tailscaled'])
  }

  /** The node's address in the tailnet. */
  async own(): Promise<string> {
    return await tailnetAddress(this.#bed, `egress-${this.side}`)
  }

  /** The address to which the cluster sends. */
  get address(): string {
    return podAddress(this.#bed.host(this.side))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process.stop(30_000)
    await this.#bed.host(this.side).exec(['nft', 'flush', 'ruleset'])
    await this.#bed.host(this.side).exec(['rm', '-rf', directory, '/tmp/tailscaled.sock', '/var/run/tailscale'])
    await this.#bed.control.removeNode(`egress-${this.side}`)
    await this.#secret.delete()
  }
}

/** Waits until the status in an agent's Secret has exactly these services. */
async function listed(agent: HostProcess, secret: SecretBed, list: readonly Service[]): Promise<void> {
  const wanted = list.map(({ name, targetPort }) => `${name} ${targetPort}`).toSorted()
  await poll(`the status of ${agent.name}`, async () => {
    if (!agent.running) throw new CulvertError('command', `${agent.name} has ended: ${agent.log.at(-1)}`)
    const status = (await secret.texts())?.['egress-services']
    return (status !== undefined && listedIn(status).toSorted().join() === wanted.join()) || undefined
  })
}

/** A node's IPv4 address in the tailnet. */
export async function tailnetAddress(bed: Bed, node: string): Promise<string> {
  const { addresses } = await bed.control.node(node)
  const own = addresses.map((prefix) => prefix.split('/')[0] ?? '').find((address) => isIPv4(address))
  if (own === undefined) throw new CulvertError('command', `${node} has no IPv4 address in the tailnet`)
  return own
}

/** A host's IPv4 address in the cluster. */
export function podAddress(host: Host): string {
  if (host.address.v4 === undefined) throw new CulvertError('command', `${host.name} has no IPv4 address`)
  return host.address.v4
}

const mount = (bed: EgressBed, side: Side, list: readonly Service[]): Promise<void> =>
  writeVolume(bed.host(side).path(directory), { 'egress-services': documentOf(list), 'hep-pings': '0' })

/** The services in a status, each with its target port. */
function listedIn(status: string): string[] {
  type Status = { services: Record<string, { ports: { targetPort: number }[] }> | null }
  const { services } = JSON.parse(status) as Status
  return Object.entries(services ?? {}).map(([name, { ports }]) => `${name} ${ports[0]?.targetPort}`)
}
