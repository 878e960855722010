import { dirname, join } from 'node:path'
import { enterNetwork } from '../ground/enter.ts'
import type { BedRecord } from '../ground/record.ts'
import { searchPath } from '../hosts/host.ts'
import type { Programs } from '../ready.ts'
import { patience } from '../patience.ts'
import { run, type Ran } from '../run.ts'
import { clusterEvent, inOrder, type LabEvent } from './events.ts'
import { clusterPlaces } from './places.ts'
import { isUnready, whyNot, type Pod } from './pods.ts'

export type KubectlOptions = {
  readonly input?: string
  /** Milliseconds; more than enough for any wait when left out. */
  readonly timeout?: number
  /** With `false` a non-zero exit is returned instead of thrown. */
  readonly check?: boolean
}

/** Any Kubernetes object. */
export type KubeObject = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name?: string; readonly namespace?: string; readonly [field: string]: unknown }
  readonly [field: string]: unknown
}

/** A cluster as its administrator sees it, through kubectl. */
export class Kubectl {
  /** The administrator's kubeconfig, a file; usable in the bed's network. */
  readonly kubeconfig: string
  /** The start of a command that runs kubectl where the API server is. */
  readonly argv: readonly string[]

  constructor(record: BedRecord, programs: Programs<'cluster'>) {
    this.kubeconfig = clusterPlaces(record.name).kubeconfig('admin')
    this.argv = [...enterNetwork(record.holder!.pid), join(programs.kubectl, 'kubectl')]
  }

  /** Runs kubectl as the administrator, files and working directory those of this side. */
  async kubectl(argv: readonly string[], options: KubectlOptions = {}): Promise<Ran> {
    return await run([...this.argv, ...argv], {
      timeout: 2 * patience,
      ...options,
      // Not this process's own: it may name a proxy.
      env: { HOME: dirname(this.kubeconfig), KUBECONFIG: this.kubeconfig, PATH: searchPath([]) },
      doing: `kubectl ${argv.join(' ')}`,
    })
  }

  /** Creates objects, or changes them to what is given. */
  async apply(...objects: readonly KubeObject[]): Promise<void> {
    const list = { apiVersion: 'v1', kind: 'List', items: objects }
    await this.kubectl(['apply', '--server-side', '--force-conflicts', '--filename=-'], { input: JSON.stringify(list) })
  }

  /** An object, or undefined when there is none. `kind` is as kubectl takes it. */
  async get<T = KubeObject>(kind: string, name: string, namespace = 'default'): Promise<T | undefined> {
    const where = [kind, name, `--namespace=${namespace}`]
    const { stdout } = await this.kubectl(['get', ...where, '--ignore-not-found', '--output=json'])
    return stdout === '' ? undefined : (JSON.parse(stdout) as T)
  }

  /** All objects of a kind, of one namespace or of all. */
  async list<T = KubeObject>(kind: string, namespace?: string, options: KubectlOptions = {}): Promise<T[]> {
    const where = namespace === undefined ? '--all-namespaces' : `--namespace=${namespace}`
    const { stdout } = await this.kubectl(['get', kind, where, '--output=json'], options)
    return (JSON.parse(stdout) as { items: T[] }).items
  }

  /** Waits for a condition of an object, such as `Ready` of `pod/echo`. */
  async wait(object: string, condition: string, where: { readonly namespace?: string } = {}): Promise<void> {
    await this.waitFor(object, `condition=${condition}`, where)
  }

  /** Waits for what `kubectl wait` knows beside conditions, such as `create` or `delete`. */
  async waitFor(object: string, event: string, { namespace = 'default' } = {}): Promise<void> {
    await this.kubectl(['wait', object, `--namespace=${namespace}`, `--for=${event}`, `--timeout=${patience / 1000}s`])
  }

  /** A token of a service account. */
  async token(namespace: string, serviceAccount: string): Promise<string> {
    return (await this.kubectl(['create', 'token', serviceAccount, `--namespace=${namespace}`])).stdout
  }

  /** What a Pod printed, of one container or of all. `previous`: the container before its last restart. */
  async podLogs(
    pod: string,
    {
      namespace = 'default',
      container,
      previous = false,
    }: { namespace?: string; container?: string; previous?: boolean } = {},
  ): Promise<string> {
    const which = container === undefined ? ['--all-containers'] : [`--container=${container}`]
    const { stdout } = await this.kubectl(['logs', pod, `--namespace=${namespace}`, ...which, `--previous=${previous}`])
    return stdout
  }

  /** What happened, in order. */
  async events(): Promise<LabEvent[]> {
    return inOrder((await this.list('events')).map(clusterEvent))
  }

  /** Why Pods are not ready, with the last `lines` lines that they printed; for whoever looks for a failure. */
  async unready(lines: number): Promise<string> {
    // An API server that hangs may be what is looked for.
    const options = { timeout: 20_000, check: false }
    const unready = (await this.list<Pod>('pods', undefined, { timeout: 20_000 })).filter(isUnready)
    const texts = await Promise.all(
      unready.slice(0, 10).map(async (pod) => {
        const { name, namespace } = pod.metadata
        const tail = ['--all-containers', '--prefix', '--ignore-errors', `--tail=${lines}`]
        const { stdout } = await this.kubectl(['logs', name, `--namespace=${namespace}`, ...tail], options)
        return [...whyNot(pod), ...stdout.split('\n').filter(Boolean)].join('\n')
      }),
    )
    return texts.join('\n')
  }
}
