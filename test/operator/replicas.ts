import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FaultyProxy } from '../kube/controller/faulty-proxy.ts'
import type { Bed } from '../lab/bed.ts'
import { poll } from '../lab/poll.ts'
import { run } from '../lab/run.ts'
import { relay, Way } from '../lab/way.ts'
import { namespace, OperatorProcess } from './operator-process.ts'

type Texts = Readonly<Record<string, string>>
type Times = { readonly lease: number; readonly deadline: number; readonly retry: number }

/** In seconds: short, since tests wait until the Lease expires. */
export const times: Times = { lease: 10, deadline: 8, retry: 1 }

/** For tests that do not wait for that. */
export const ample: Times = { lease: 60, deadline: 40, retry: 1 }

const isLease = (url: string): boolean => url.includes('/leases/')

/** Whether a process is the leader by its own account, of some shard if there are several. */
export const isLeading = ({ hasEnded, logged }: OperatorProcess): boolean =>
  !hasEnded && logged.some((line) => line.startsWith('is the leader'))

/** The shards of which a process is the leader by its own account, if there are several. */
export const ledBy = ({ hasEnded, logged }: OperatorProcess): readonly number[] =>
  hasEnded ? [] : logged.flatMap((line) => /^is the leader of shard (\d+) of /.exec(line)?.[1] ?? []).map(Number)

/** A replica of the operator: its process, which is started anew when it ends, and its way to the API server. */
export type Replica = {
  readonly name: string
  readonly proxy: FaultyProxy
  /** Where it serves its probes and metrics. */
  readonly port: number
  process: OperatorProcess
  /** Of its environment. */
  more: Texts
}

/**
 * Replicas of the operator as processes, each of which reaches the API server through a proxy of its own, which counts
 * what it writes.
 */
export class Replicas implements AsyncDisposable {
  readonly all: Replica[] = []
  /** What must not happen. */
  readonly broken: string[] = []
  readonly #bed: Bed
  readonly #folder = mkdtempSync(join(tmpdir(), 'culvert-replicas-'))
  readonly #ends: (() => unknown)[] = []
  readonly #times: Times
  readonly #more: Texts
  #way!: Way
  /** Of each Lease, the replica that wrote itself into it last. */
  readonly #owners = new Map<string, string>()

  constructor(bed: Bed, of: Times, more: Texts) {
    this.#bed = bed
    this.#times = of
    this.#more = more
  }

  /** Starts replicas with names, one after the other: the first one is the leader. `more`: of their environment. */
  static async start(bed: Bed, names: readonly string[], of = times, more: Texts = {}): Promise<Replicas> {
    const replicas = new Replicas(bed, of, more)
    replicas.#way = await Way.open(replicas.#enter, new URL(bed.cluster.url.v4))
    try {
      for (const name of names) {
        await replicas.add(name)
        await poll('that there is a leader', () => replicas.leader)
      }
      return replicas
    } catch (error) {
      await replicas[Symbol.asyncDispose]()
      throw error
    }
  }

  get #enter(): readonly string[] {
    return this.#bed.cluster.argv.slice(0, -1)
  }

  of(name: string): Replica {
    return this.all.find((one) => one.name === name)!
  }

  /** Starts one more. */
  async add(name: string): Promise<void> {
    const socket = join(this.#folder, `${name}.sock`)
    const [port, health] = [19_000 + this.all.length, 19_100 + this.all.length]
    const proxy = await FaultyProxy.start(this.#way.socketPath, this.#bed.cluster.ca, socket)
    this.#ends.push(() => proxy[Symbol.asyncDispose]())
    this.#ends.push(await relay(this.#enter, { host: '127.0.0.1', port }, { path: socket }))
    proxy.fault = ({ method, url }) => {
      const owners = [...this.#owners.values()]
      if (method !== 'GET' && !isLease(url) && !owners.includes(name))
        this.broken.push(`${name} writes while ${owners.join()} has the Lease: ${method} ${url}`)
      return undefined
    }
    proxy.answered = ({ method, url }, status) => {
      const { pathname } = new URL(url, 'http://api')
      if (method !== 'GET' && isLease(url) && status < 300) this.#owners.set(pathname, name)
    }
    const kubeconfig = join(this.#folder, name)
    const user = { token: (await this.#bed.cluster.token(namespace, 'operator')).trim() }
    const content = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'lab', cluster: { server: `http://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true } }],
      users: [{ name: 'user', user }],
      contexts: [{ name: 'lab', context: { cluster: 'lab', user: 'user' } }],
      'current-context': 'lab',
    }
    writeFileSync(kubeconfig, JSON.stringify(content), { mode: 0o600 })
    const more = this.#more
    this.all.push({ name, proxy, port: health, more, process: await this.#operate(kubeconfig, health, more) })
  }

  async #operate(kubeconfig: string, port: number, more: Texts): Promise<OperatorProcess> {
    return OperatorProcess.start(this.#bed, {
      KUBECONFIG: kubeconfig,
      CULVERT_OPERATOR_PORT: String(port),
      CULVERT_LEASE_DURATION: `${this.#times.lease}s`,
      CULVERT_LEASE_RENEW_DEADLINE: `${this.#times.deadline}s`,
      CULVERT_LEASE_RETRY_PERIOD: `${this.#times.retry}s`,
      ...more,
    })
  }

  /** Starts the process of a replica anew, once it has ended; `more`: with other variables from now on. */
  async restart(name: string, more = this.of(name).more): Promise<void> {
    const replica = this.of(name)
    await replica.process.end()
    replica.more = more
    replica.process = await this.#operate(join(this.#folder, name), replica.port, more)
  }

  /** If none runs any more, starts the last one anew, as kubelet does: a machine that stands still takes the Lease away. */
  async revive(): Promise<void> {
    if (this.all.every(({ process }) => process.hasEnded)) await this.restart(this.all.at(-1)!.name)
  }

  /** What a replica answers at a path of its server for probes and metrics: the status, and the lines. */
  async ask(name: string, path: string): Promise<readonly string[]> {
    const url = `http://127.0.0.1:${this.of(name).port}${path}`
    const program = `const answer = await fetch('${url}'); console.log(answer.status + '\\n' + (await answer.text()))`
    const { stdout } = await run([...this.#enter, process.execPath, '--input-type=module', '--eval', program])
    return stdout.trim().split('\n')
  }

  /** Who holds the Lease, as the API server says; undefined: nobody. */
  async holder(): Promise<string | undefined> {
    const lease = await this.#bed.cluster.get('lease', 'culvert-operator', namespace)
    return (lease?.['spec'] as { holderIdentity?: string } | undefined)?.holderIdentity
  }

  /** The replica that is the leader by its own account. */
  get leader(): Replica | undefined {
    return this.all.find(({ process }) => isLeading(process))
  }

  /**
   * What was written by a replica without the Lease after it was stopped, from now on forgotten: one request at most.
   * Between its look at the Lease and its write to the connection a process can be stopped, and writes when it goes on;
   * before the next request it looks again.
   */
  takeLate(): readonly string[] {
    const late = this.broken.splice(0)
    return late.length === 1 ? [] : late
  }

  /** What a replica has written besides its Lease. */
  writesOf(name: string): readonly string[] {
    return this.of(name).proxy.writes.flatMap(({ method, url }) => (isLease(url) ? [] : [`${method} ${url}`]))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      this.all.map(async ({ process, proxy }) => {
        proxy.heal()
        process.signal('SIGCONT')
        await process.stop()
      }),
    )
    for (const end of this.#ends.toReversed()) await end()
    await this.#way[Symbol.asyncDispose]()
    rmSync(this.#folder, { recursive: true })
  }
}
