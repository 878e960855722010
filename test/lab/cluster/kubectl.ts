import { dirname, join } from 'node:path'
import { helmEnvironment } from '../helm.ts'
import { enterNetwork } from '../namespaces/enter.ts'
import type { BedRecord } from '../namespaces/record.ts'
import { searchPath } from '../hosts/host.ts'
import type { Programs } from '../ready.ts'
import { patience } from '../patience.ts'
import { run, type Ran } from '../run.ts'
import { DirectApi } from './direct-api.ts'
import { clusterEvent, inOrder, type LabEvent } from './events.ts'
import { clusterPaths } from './paths.ts'
import { isUnready, unreadyReasons, type Pod } from './pods.ts'

export type KubectlOptions = {
  readonly input?: string
  /** Milliseconds; by default more than enough for any wait. */
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

type ListOptions = Pick<KubectlOptions, 'timeout'> & {
  /** Only objects with these labels, as `--selector` takes them. */
  readonly selector?: string
}

/** By default more than enough for any wait. */
const ample = 2 * patience

/** A cluster with the permissions of its administrator, through kubectl. */
export class Kubectl {
  /** The administrator's kubeconfig, a file; usable in the bed's network. */
  readonly kubeconfig: string
  /** The beginning of a command that runs kubectl in the network of the API server. */
  readonly argv: readonly string[]
  readonly #helm: string
  readonly #direct: boolean
  #api: DirectApi | undefined

  /** With `direct` objects are read and applied without kubectl, as if by it, until `endDirect`. */
  constructor(record: BedRecord, programs: Programs<'cluster'>, direct: boolean) {
    this.kubeconfig = clusterPaths(record.name).kubeconfig('admin')
    this.argv = [...enterNetwork(record.holder!.pid), join(programs.kubectl, 'kubectl')]
    this.#helm = join(programs.helm, 'helm')
    this.#direct = direct
  }

  get #directly(): DirectApi | undefined {
    if (this.#direct) this.#api ??= new DirectApi(this.argv.slice(0, -1), this.kubeconfig, ample)
    return this.#api
  }

  async endDirect(): Promise<void> {
    await this.#api?.end()
  }

  /** Runs kubectl as the administrator, with the files and the working directory of this side. */
  async kubectl(argv: readonly string[], options: KubectlOptions = {}): Promise<Ran> {
    return await run([...this.argv, ...argv], {
      timeout: ample,
      ...options,
      // Not this process's environment, which may name a proxy. It ends before there is much garbage to collect.
      env: { HOME: dirname(this.kubeconfig), KUBECONFIG: this.kubeconfig, PATH: searchPath([]), GOGC: 'off' },
      doing: `kubectl ${argv.join(' ')}`,
    })
  }

  /** Runs helm as the administrator, in the same way. */
  async helm(argv: readonly string[], options: KubectlOptions = {}): Promise<Ran> {
    return await run([...this.argv.slice(0, -1), this.#helm, ...argv], {
      timeout: ample,
      ...options,
      env: { ...helmEnvironment(dirname(this.kubeconfig)), KUBECONFIG: this.kubeconfig },
      doing: `helm ${argv.join(' ')}`,
    })
  }

  /** Creates objects, or updates them. */
  async apply(...objects: readonly KubeObject[]): Promise<void> {
    if (this.#directly !== undefined) {
      for (const object of objects) await this.#directly.apply(object)
      return
    }
    const list = { apiVersion: 'v1', kind: 'List', items: objects }
    await this.kubectl(['apply', '--server-side', '--force-conflicts', '--filename=-'], { input: JSON.stringify(list) })
  }

  /** An object, or undefined without one. `kind` is as kubectl accepts it. */
  async get<T = KubeObject>(kind: string, name: string, namespace = 'default'): Promise<T | undefined> {
    if (this.#directly !== undefined) return await this.#directly.get<T>(kind, name, namespace)
    const where = [kind, name, `--namespace=${namespace}`]
    const { stdout } = await this.kubectl(['get', ...where, '--ignore-not-found', '--output=json'])
    return stdout === '' ? undefined : (JSON.parse(stdout) as T)
  }

  /** All objects of a kind, or of several with commas between them, of one namespace or of all. */
  async list<T = KubeObject>(kind: string, namespace?: string, options: ListOptions = {}): Promise<T[]> {
    if (this.#directly !== undefined) return await this.#directly.list<T>(kind, namespace, options)
    const { timeout = ample, selector } = options
    const where = [
      namespace === undefined ? '--all-namespaces' : `--namespace=${namespace}`,
      ...(selector === undefined ? [] : [`--selector=${selector}`]),
    ]
    const { stdout } = await this.kubectl(['get', kind, ...where, '--output=json'], { timeout })
    return (JSON.parse(stdout) as { items: T[] }).items
  }

  /** Waits for a condition of an object, such as `Ready` of `pod/echo`. */
  async wait(object: string, condition: string, where: { readonly namespace?: string } = {}): Promise<void> {
    await this.waitFor(object, `condition=${condition}`, where)
  }

  /** Waits for what `kubectl wait` supports besides conditions, such as `create` or `delete`. */
  async waitFor(object: string, event: string, { namespace = 'default' } = {}): Promise<void> {
    await this.kubectl(['wait', object, `--namespace=${namespace}`, `--for=${event}`, `--timeout=${patience / 1000}s`])
  }

  /** A token of a service account. */
  async token(namespace: string, serviceAccount: string): Promise<string> {
    return (await this.kubectl(['create', 'token', serviceAccount, `--namespace=${namespace}`])).stdout
  }

  /** The log of a Pod, of one container or of all. `previous`: of the container before its last restart. */
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

  /** The events, in order. */
  async events(): Promise<LabEvent[]> {
    return inOrder((await this.list('events')).map(clusterEvent))
  }

  /** Why Pods are not ready, with the last `lines` log lines, to look into a failure. */
  async unready(lines: number): Promise<string> {
    // A hanging API server may be the failure.
    const options = { timeout: 20_000, check: false }
    const unready = (await this.list<Pod>('pods', undefined, { timeout: 20_000 })).filter(isUnready)
    const texts = await Promise.all(
      unready.slice(0, 10).map(async (pod) => {
        const { name, namespace } = pod.metadata
        const tail = ['--all-containers', '--prefix', '--ignore-errors', `--tail=${lines}`]
        const { stdout } = await this.kubectl(['logs', name, `--namespace=${namespace}`, ...tail], options)
        return [...unreadyReasons(pod), ...stdout.split('\n').filter(Boolean)].join('\n')
      }),
    )
    return texts.join('\n')
  }
}
