import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CulvertError, describe } from '../../lib/errors.ts'
import { Acme } from './acme/client.ts'
import { acmePaths } from './acme/paths.ts'
import { acmeEnv, type AcmeSpec } from './acme/start.ts'
import { Cluster } from './cluster/cluster.ts'
import { nodesOf, type ClusterSpec } from './cluster/spec.ts'
import { ControlClient } from './control-client.ts'
import { controlUrl } from './namespaces/addresses.ts'
import { isAlive } from './namespaces/procs.ts'
import { pathsOf, readRecord, type BedRecord, type HostRecord } from './namespaces/record.ts'
import { sweep, tearDown } from './namespaces/teardown.ts'
import { Host } from './hosts/host.ts'
import { bedPrograms, builtPrograms, type Programs } from './ready.ts'
import { tail } from './run.ts'
import { defaultTopology, type Topology } from './spec.ts'
import { start } from './start.ts'

/** A running bed: a tailnet's control server and hosts. `await using` takes it down. */
export class Bed<Names extends string = string> implements AsyncDisposable {
  readonly name: string
  readonly record: BedRecord
  /** Controls the tailnet. */
  readonly control: ControlClient
  /** The URL of the control server. */
  readonly controlUrl = controlUrl
  /** The directories of the built parts. */
  readonly programs: Programs
  /** The name of the bed whose control server it has. */
  readonly #tailnet: string
  readonly #hosts: ReadonlyMap<string, Host>
  readonly #cluster: Cluster | undefined
  #lastWords: string | undefined

  constructor(record: BedRecord, programs: Programs, cluster?: Cluster) {
    this.name = record.name
    this.record = record
    this.programs = programs
    this.#cluster = cluster
    this.#tailnet = record.tailnet ?? record.name
    this.control = new ControlClient(pathsOf(this.#tailnet).controlSocket)
    const always = record.acme === undefined ? {} : acmeEnv
    const directories = Object.values(programs)
    this.#hosts = new Map(
      record.hosts.map((host) => [
        host.name,
        host.node === undefined || cluster === undefined
          ? new Host(host, directories, always)
          : cluster.node(host.name),
      ]),
    )
  }

  /** All hosts, including the nodes of the cluster. */
  get hosts(): readonly Host[] {
    return [...this.#hosts.values()]
  }

  /** All hosts in which this process may have started something. */
  get #everywhere(): readonly Host[] {
    return [...this.hosts, ...(this.#cluster?.pods ?? [])]
  }

  host(name: Names): Host {
    const host = this.#hosts.get(name)
    if (host !== undefined) return host
    throw new CulvertError('settings', `bed ${this.name} has no host ${name}`, {
      remedy: `Its hosts are ${[...this.#hosts.keys()].join(', ')}`,
    })
  }

  /** The Kubernetes cluster. Throws CulvertError `settings` when the bed was started without one. */
  get cluster(): Cluster {
    if (this.#cluster !== undefined) return this.#cluster
    throw new CulvertError('settings', `bed ${this.name} has no cluster`, {
      remedy: 'Start it with one: `cluster: { nodes: 1 }`, or `npm run lab -- up --cluster`',
    })
  }

  /** The certificate authority. Throws CulvertError `settings` when the bed was started without one. */
  get acme(): Acme {
    if (this.record.acme !== undefined || this.record.tailnet !== undefined)
      return new Acme(acmePaths(pathsOf(this.#tailnet).acme))
    throw new CulvertError('settings', `bed ${this.name} has no certificate authority`, {
      remedy: 'Start it with one: `acme: true`, or `npm run lab -- up --acme`',
    })
  }

  /** The record of a host, with the process of its tailscaled. */
  hostRecord(name: Names): HostRecord {
    this.host(name)
    return this.record.hosts.find((host) => host.name === name)!
  }

  /** A new auth key, single-use unless `key` says otherwise. */
  async authKey(key: Parameters<ControlClient['createKey']>[0] = {}): Promise<string> {
    return (await this.control.createKey({ approved: true, ...key })).key
  }

  /** The last log lines of everything that ran here, to look into a failure; also once the bed is down. */
  async tails(lines = 25): Promise<string> {
    if (this.#lastWords !== undefined) return this.#lastWords
    const logs = pathsOf(this.name).logs
    const files = [
      ...this.record.hosts.filter((host) => host.tailscaled !== undefined).map((host) => `${host.name}.tailscaled.log`),
      'control.log',
      ...(this.record.acme === undefined ? [] : ['pebble.log', 'acme.log']),
      ...(this.#cluster?.components ?? [])
        .filter(({ name }) => /apiserver|kubelet/.test(name))
        .map(({ name }) => `${name}.log`),
    ]
    const daemons = await Promise.all(
      files.map(async (file) =>
        section(file, tail((await readFile(join(logs, file), 'utf8').catch(() => '')).trim(), lines)),
      ),
    )
    const started = this.#everywhere.flatMap(({ loggers }) =>
      loggers.map(({ name, log }) => section(name, log.slice(-lines).join('\n'))),
    )
    const pods = await this.#cluster?.unready(lines).catch((error: unknown) => describe(error))
    return [...started, ...daemons, ...(pods === undefined ? [] : [section('Pods that are not ready', pods)])].join(
      '\n',
    )
  }

  /** Ends every process of the bed and removes everything it made. May be repeated. */
  async down(): Promise<void> {
    // A stopped process, or rather its stopped helper outside, would keep the namespaces for ever.
    for (const component of this.#cluster?.components ?? []) component.signal('SIGCONT')
    for (const { processes } of this.#everywhere) for (const process of processes) process.kill('SIGCONT')
    this.#lastWords ??= await this.tails()
    await this.#cluster?.endDirect()
    await tearDown(this.name)
    // Everything that waits for one of these now notices that it has ended.
    await Promise.all(this.#everywhere.flatMap(({ processes }) => processes.map(({ exited }) => exited)))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down()
  }
}

function section(title: string, text: string): string {
  return `--- ${title}\n${text === '' ? '(nothing)' : text}`
}

export type BedOptions<T extends Topology> = {
  /** Client, proxy and backend when left out. */
  readonly hosts?: T
  /** Unique among the beds of this machine; generated when left out. */
  readonly name?: string
  /** Also runs a certificate authority. */
  readonly acme?: boolean | AcmeSpec
  /** A bed whose tailnet and certificate authority it has, instead of its own; its tailscaled does not get certificates. */
  readonly tailnet?: Bed
  /** Also starts a Kubernetes cluster. */
  readonly cluster?: ClusterSpec
  /** With `false` the bed outlives this process. */
  readonly owned?: boolean
}

export { startCapture, type Capture } from './traffic/capture.ts'
export type { Packet } from './traffic/packet.ts'
export type { Answer, Report } from './traffic/protocol.ts'
export { ask, askAll, startEcho, startTraffic, type Traffic, type TrafficOptions } from './traffic/traffic.ts'
export type { Host } from './hosts/host.ts'
export type { Exit, HostProcess } from './hosts/process.ts'
export type { HostSpec, TailscaledSpec, Topology } from './spec.ts'

let made = 0

/**
 * Starts a bed that ends with this process, however that ends. Its parts must have been built (`npm run lab -- build`).
 * Throws CulvertError, and leaves nothing behind then.
 */
export async function startBed<T extends Topology = typeof defaultTopology>(
  options: BedOptions<T> = {},
): Promise<Bed<keyof T & string>> {
  const nodes = options.cluster === undefined ? undefined : nodesOf(options.cluster)
  const programs = await bedPrograms()
  const cluster =
    nodes === undefined
      ? undefined
      : { ...options.cluster, nodes, isSecond: options.tailnet !== undefined, programs: await builtPrograms('cluster') }
  await sweep()
  made += 1
  const record = await start({
    name: options.name ?? `t${process.pid}-${made}`,
    hosts: options.hosts ?? defaultTopology,
    programs,
    owned: options.owned ?? true,
    acme: options.acme === true ? {} : options.acme || undefined,
    tailnet: options.tailnet?.name,
    ...(cluster === undefined ? {} : { cluster }),
  })
  return await bedOf(record, options.owned !== false)
}

/** A bed that is up already, started by any process. Throws CulvertError `command` when there is none of that name. */
export async function openBed(name: string): Promise<Bed> {
  const record = await readRecord(name)
  if (record?.holder === undefined || !isAlive(record.holder)) {
    throw new CulvertError('command', `bed ${name} is not up`, {
      remedy: 'Start it (npm run lab -- up), or see what is up: npm run lab -- status',
    })
  }
  return await bedOf(record)
}

/** `own`: this process takes it down. */
async function bedOf(record: BedRecord, own = false): Promise<Bed> {
  if (record.cluster === undefined) return new Bed(record, await bedPrograms())
  const programs = await builtPrograms('cluster')
  return new Bed(record, programs, new Cluster(record, programs, own))
}
