import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import { describe } from '../../../lib/errors.ts'
import type { Outage } from '../../e2e/ingress-load.ts'
import type { Host, HostProcess } from '../../lab/bed.ts'
import type { Cluster } from '../../lab/cluster/cluster.ts'
import { patience } from '../../lab/patience.ts'
import { builtPrograms } from '../../lab/ready.ts'

type Environment = Readonly<Record<string, string>>

/** What kubectl was run for, in ms since 1970, and how each run failed that did. */
type Asked = { readonly from: number; readonly to: number; readonly errors: readonly string[] }

/** Milliseconds from one run of kubectl to the next. */
const pause = 250

/** How often somebody runs kubectl in vain before they call it a failure. */
const attempts = 3

/**
 * What people and programs do with an API server all day, from one device: kubectl again and again, each time over a new
 * connection, and again if that fails; a client-go informer; and logs that are followed, anew whenever they end.
 */
export class KubectlLoad {
  readonly asked: Asked[] = []
  /** How logs that were followed ended. */
  readonly logsEnded: string[] = []
  readonly #host: Host
  readonly #env: Environment
  readonly #informer: HostProcess
  readonly #stopping = new AbortController()
  #work: Promise<unknown> = Promise.resolve()

  private constructor(host: Host, env: Environment, informer: HostProcess) {
    this.#host = host
    this.#env = env
    this.#informer = informer
  }

  /** `pod`: whose logs are followed; it must have written something. */
  static async start(host: Host, env: Environment, pod: string): Promise<KubectlLoad> {
    const { 'client-go': directory } = await builtPrograms('clients')
    const informer = await host.spawn([join(directory, 'client-go'), 'follow'], { name: 'informer', env })
    await informer.line(/^added kube-root-ca\.crt$/)
    const load = new KubectlLoad(host, env, informer)
    load.#work = Promise.all([load.#ask(), load.#followLogs(pod)])
    return load
  }

  async #ask(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const from = Date.now()
      const argv = ['kubectl', 'get', 'configmap', 'kube-root-ca.crt', '--namespace=default', '--output=name']
      const errors: string[] = []
      while (errors.length < attempts) {
        const error = await this.#host.exec(argv, { env: this.#env }).then(() => undefined, describe)
        if (error === undefined) break
        errors.push(error)
      }
      this.asked.push({ from, to: Date.now(), errors })
      await delay(pause)
    }
  }

  async #followLogs(pod: string): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      const argv = ['kubectl', 'logs', '--follow', pod, '--namespace=default']
      const logs = await this.#host.spawn(argv, { name: 'logs', env: this.#env })
      const stop = () => void logs.stop()
      signal.addEventListener('abort', stop)
      const { code } = await logs.exited
      signal.removeEventListener('abort', stop)
      if (!signal.aborted) this.logsEnded.push(`${code}: ${logs.log.at(-1)}`)
      await delay(pause)
    }
  }

  /** Resolves when the informer has told of a ConfigMap. */
  async hasSeen(name: string): Promise<void> {
    await this.#informer.line(new RegExp(`^added ${name}$`), patience)
  }

  get failed(): readonly Asked[] {
    return this.asked.filter(({ errors }) => errors.length === attempts)
  }

  /** The errors of runs that were repeated. */
  get repeated(): readonly string[] {
    return this.asked.flatMap(({ errors }) => (errors.length < attempts ? errors : []))
  }

  /** Ends it; the informer must have lived until now. */
  async stop(): Promise<void> {
    expect(this.#informer.running).toBe(true)
    await this.#informer.stop()
    this.#stopping.abort()
    await this.#work
  }
}

/** Expects that kubectl has failed, however often it was run, only during an outage. */
export function expectExplained(loads: readonly KubectlLoad[], outages: readonly Outage[]): void {
  const within = ({ from, to }: Asked): boolean => outages.some((outage) => from < outage.to && to > outage.from)
  const seconds = outages.map(({ from, to }) => Math.round((to - from) / 1000))
  const lost = loads.map(({ failed, repeated, asked }) =>
    [asked, failed, repeated].map(({ length }) => length).join('/'),
  )
  console.log(`away for ${seconds.join(', ')} s; kubectl asked/failed/repeated: ${lost.join(', ')}`)
  expect(loads.map(({ failed }) => failed.filter((one) => !within(one)))).toEqual(loads.map(() => []))
}

let made = 0

/** Makes a ConfigMap, and waits until all informers have told of it: their watches go on, or have begun again. */
export async function expectWatched(cluster: Cluster, loads: readonly KubectlLoad[]): Promise<void> {
  made += 1
  const name = `seen-${made}`
  await cluster.kubectl(['create', 'configmap', name])
  await Promise.all(loads.map((load) => load.hasSeen(name)))
}
