import { expect } from 'vitest'
import { ways } from '../../e2e/cluster.ts'
import { ask, type Bed, type Host } from '../../lab/bed.ts'

type Way = (typeof ways)[number]

/** Pods of two namespaces that use a Service of the namespace `default` by its name. */
export class ByName {
  readonly #bed: Bed
  readonly #service: string
  readonly #clients: readonly Host[]

  private constructor(bed: Bed, service: string, clients: readonly Host[]) {
    this.#bed = bed
    this.#service = service
    this.#clients = clients
  }

  /** The Pods are those of an `L3Cluster`. */
  static async of(bed: Bed, service: string): Promise<ByName> {
    const namespaces = ['default', 'other']
    await Promise.all(namespaces.map((where) => bed.cluster.wait('pod/client', 'Ready', { namespace: where })))
    const clients = await Promise.all(namespaces.map((where) => bed.cluster.pod('client', where)))
    return new ByName(bed, service, clients)
  }

  /** The addresses to which the cluster's DNS resolves the Service, asked from a Pod of a namespace. */
  async resolved(from: string): Promise<readonly string[]> {
    const command = ['nslookup', `${this.#service}.default.svc.cluster.local`]
    const exec = ['exec', 'client', `--namespace=${from}`, '--', ...command]
    const { stdout } = await this.#bed.cluster.kubectl(exec, { check: false })
    const answer = stdout.split('\n\n').slice(1).join('\n')
    return [...answer.matchAll(/^Address(?: \d+)?: *(\S+)/gm)].map(([, address = '']) => address)
  }

  /** Waits until all reach the host of the tailnet, in some ways or in all. */
  async reached(host: string, some: Partial<Way> = {}): Promise<void> {
    for (const from of ['default', 'other']) await expect.poll(() => this.resolved(from)).toHaveLength(2)
    const asked = ways.filter(
      ({ family, protocol }) => (some.family ?? family) === family && (some.protocol ?? protocol) === protocol,
    )
    let known = await this.resolved('default')
    for (const client of this.#clients) {
      for (const { family, protocol } of asked) {
        const once = async () => {
          const to = known.find((one) => one.includes(':') === (family === 'v6'))
          const answer = to === undefined ? to : await ask(client, { to, protocol, patience: 5000 }).catch(String)
          if (typeof answer === 'object' && answer.host === host) return answer
          // A Pod that is about to be replaced takes its address with it.
          known = await this.resolved('default')
          return answer
        }
        await expect.poll(once, { message: `${protocol}, ${family}` }).toMatchObject({ host })
      }
    }
  }
}
