import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FaultyProxy } from '../kube/controller/faulty-proxy.ts'
import type { Bed } from '../lab/bed.ts'
import { poll } from '../lab/poll.ts'
import { run } from '../lab/run.ts'
import { relay, Way } from '../lab/way.ts'
import { namespace, OperatorProcess } from './operator-process.ts'

/** Short, but not so short that a busy machine loses the Lease by itself. */
export const times = { lease: 5, deadline: 3, retry: 0.5 }

const isLease = (url: string): boolean => url.includes('/leases/')

/** Whether a process is the leader by its own account. */
export const isLeading = ({ hasEnded, logged }: OperatorProcess): boolean =>
  !hasEnded && logged.includes('is the leader')

/** A replica of the operator: its process, the present or the last one, and its way to the API server. */
export type Replica = {
  readonly name: string
  readonly proxy: FaultyProxy
  /** Where it serves its probes and metrics. */
  readonly port: number
  process: OperatorProcess
}

/**
 * Replicas of the operator as processes, each of which reaches the API server through a proxy of its own, which counts
 * what it writes. A process that ends is started anew, as kubelet does.
 */
export class Replicas implements AsyncDisposable {
  readonly all: Replica[] = []
  /** What must not happen. */
  readonly broken: string[] = []
  readonly #bed: Bed
  readonly #folder = mkdtempSync(join(tmpdir(), 'culvert-replicas-'))
  readonly #ends: (() => unknown)[] = []
  #way!: Way
  readonly #keepers: Promise<void>[] = []
  #isEnding = false
  /** The replica that wrote itself into the Lease last. */
  #owner: string | undefined

  constructor(bed: Bed) {
    this.#bed = bed
  }

  /** Starts replicas with names, one after the other: the first one is the leader. */
  static async start(bed: Bed, ...names: readonly string[]): Promise<Replicas> {
    const replicas = new Replicas(bed)
    replicas.#way = await Way.open(replicas.#enter, new URL(bed.cluster.url.v4))
    for (const name of names) {
      await replicas.#add(name)
      await poll('that there is a leader', () => replicas.leader)
    }
    return replicas
  }

  get #enter(): readonly string[] {
    return this.#bed.cluster.argv.slice(0, -1)
  }

  of(name: string): Replica {
    return this.all.find((one) => one.name === name)!
  }

  async #add(name: string): Promise<void> {
    const socket = join(this.#folder, `${name}.sock`)
    const [port, health] = [19_000 + this.all.length, 19_100 + this.all.length]
    const proxy = await FaultyProxy.start(this.#way.socketPath, this.#bed.cluster.ca, socket)
    this.#ends.push(() => proxy[Symbol.asyncDispose]())
    this.#ends.push(await relay(this.#enter, { host: '127.0.0.1', port }, { path: socket }))
    proxy.fault = ({ method, url }) => {
      if (method !== 'GET' && !isLease(url) && this.#owner !== name)
        this.broken.push(`${name} writes while ${this.#owner} has the Lease: ${method} ${url}`)
      return undefined
    }
    proxy.answered = ({ method, url }, status) => {
      if (method !== 'GET' && isLease(url) && status < 300) this.#owner = name
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
    const replica: Replica = { name, proxy, port: health, process: await this.#operate(kubeconfig, health) }
    this.all.push(replica)
    const kept = this.#keep(replica, () => this.#operate(kubeconfig, health))
    this.#keepers.push(
      kept.catch((error: unknown) => void this.broken.push(`${name} does not start: ${String(error)}`)),
    )
  }

  async #keep(replica: Replica, start: () => Promise<OperatorProcess>): Promise<void> {
    await replica.process.end()
    if (this.#isEnding) return
    replica.process = await start()
    if (this.#isEnding) await replica.process.stop()
    await this.#keep(replica, start)
  }

  async #operate(kubeconfig: string, port: number): Promise<OperatorProcess> {
    return OperatorProcess.start(this.#bed, {
      KUBECONFIG: kubeconfig,
      CULVERT_OPERATOR_PORT: String(port),
      CULVERT_LEASE_DURATION: `${times.lease}s`,
      CULVERT_LEASE_RENEW_DEADLINE: `${times.deadline}s`,
      CULVERT_LEASE_RETRY_PERIOD: `${times.retry}s`,
    })
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

  /** The leader and another replica, when both run. */
  async pair(): Promise<readonly [leader: Replica, other: Replica]> {
    return await poll('a leader and another replica', () => {
      const { leader } = this
      const other = this.all.find((one) => one !== leader && !one.process.hasEnded)
      return leader === undefined || other === undefined ? undefined : ([leader, other] as const)
    })
  }

  /** What a replica has written besides its Lease. */
  writesOf(name: string): readonly string[] {
    return this.of(name).proxy.writes.flatMap(({ method, url }) => (isLease(url) ? [] : [`${method} ${url}`]))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnding = true
    await Promise.all(
      this.all.map(async ({ process, proxy }) => {
        proxy.heal()
        process.signal('SIGCONT')
        await process.stop()
      }),
    )
    await Promise.all(this.#keepers)
    for (const end of this.#ends.toReversed()) await end()
    await this.#way[Symbol.asyncDispose]()
    rmSync(this.#folder, { recursive: true })
  }
}
