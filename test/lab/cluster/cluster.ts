import { readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { isIPv4, isIPv6 } from 'node:net'
import { join } from 'node:path'
import { CulvertError } from '../../../lib/errors.ts'
import { enterNetwork } from '../ground/enter.ts'
import { memberOf } from '../ground/cgroups.ts'
import type { BedRecord } from '../ground/record.ts'
import { Host, searchPath } from '../hosts/host.ts'
import type { Programs } from '../ready.ts'
import { run, type Ran } from '../run.ts'
import { apiUrl } from './addresses.ts'
import type { Component } from './component.ts'
import { componentsOf } from './components.ts'
import { clusterEvent, inOrder, type LabEvent } from './events.ts'
import { clusterPlaces } from './places.ts'
import { isWanting, whyNot, type Pod } from './pods.ts'

export type KubectlOptions = {
  readonly input?: string
  /** Milliseconds; 30 s when left out. */
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

/** The Kubernetes cluster of a bed. */
export class Cluster {
  /** Where the API server is, for both families. */
  readonly url = apiUrl
  /** The administrator's kubeconfig, a file; usable in the bed's network. */
  readonly kubeconfig: string
  /** The file of kubectl. */
  readonly program: string
  readonly #bed: string
  readonly #holder: number
  readonly #components: ReadonlyMap<string, Component>
  readonly #nodes: ReadonlyMap<string, Host>
  readonly #record: BedRecord
  readonly #programs: readonly string[]
  readonly #pods: Host[] = []

  constructor(record: BedRecord, programs: Programs<'cluster'>) {
    this.#bed = record.name
    this.#holder = record.holder!.pid
    this.program = join(programs.kubectl, 'kubectl')
    this.#components = componentsOf(record, programs)
    this.kubeconfig = clusterPlaces(record.name).kubeconfig('admin')
    const nodes = record.hosts.filter(({ node }) => node !== undefined)
    this.#record = record
    this.#programs = Object.values(programs)
    this.#nodes = new Map(nodes.map((node) => [node.name, new Host(node, this.#programs, {})]))
  }

  /** The certificate of the cluster's authority, PEM. */
  get ca(): string {
    return readFileSync(clusterPlaces(this.#bed).file('ca.crt'), 'utf8')
  }

  get nodes(): readonly Host[] {
    return [...this.#nodes.values()]
  }

  node(name = 'node1'): Host {
    return named(this.#nodes, name, 'node')
  }

  /** The Pods that were asked for as hosts. */
  get pods(): readonly Host[] {
    return this.#pods
  }

  /**
   * A running Pod as a host: what is started in it has the Pod's network and the files and programs of its node. For
   * traffic and captures; `kubectl exec` gets into its containers.
   */
  async pod(name: string, namespace = 'default'): Promise<Host> {
    const pod = await this.get<Pod>('pod', name, namespace)
    const node = this.#record.hosts.find((host) => host.name === pod?.spec.nodeName)
    const network = pod && node && (await memberOf(this.#bed, node.name, `pod${pod.metadata.uid}`))
    if (network === undefined) throw new CulvertError('command', `Pod ${namespace}/${name} does not run`)
    const addresses = (pod?.status.podIPs ?? []).map(({ ip }) => ip)
    const address = { v4: addresses.find((one) => isIPv4(one)), v6: addresses.find((one) => isIPv6(one)) }
    const host = new Host({ name, address, holder: node!.holder }, this.#programs, {}, network)
    this.#pods.push(host)
    return host
  }

  get components(): readonly Component[] {
    return [...this.#components.values()]
  }

  /** A daemon, to stop, kill and start: `etcd`, `kube-apiserver`, …, `node1.containerd`, `node1.kubelet`, `node1.kube-proxy`. */
  component(name: string): Component {
    return named(this.#components, name, 'component')
  }

  /** Runs kubectl as the administrator, files and working directory those of this side. */
  async kubectl(argv: readonly string[], options: KubectlOptions = {}): Promise<Ran> {
    return await run([...enterNetwork(this.#holder), this.program, ...argv], {
      timeout: 30_000,
      ...options,
      // Not this process's own: it may name a proxy.
      env: { HOME: clusterPlaces(this.#bed).directory, KUBECONFIG: this.kubeconfig, PATH: searchPath([]) },
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

  /** Waits for a condition of an object, such as `Ready` of `pod/echo`; `timeout` in milliseconds, a minute when left out. */
  async wait(object: string, condition: string, { namespace = 'default', timeout = 60_000 } = {}): Promise<void> {
    await this.kubectl(
      ['wait', object, `--namespace=${namespace}`, `--for=condition=${condition}`, `--timeout=${timeout / 1000}s`],
      { timeout: timeout + 5000 },
    )
  }

  /** Returns once all nodes take Pods. */
  async ready(): Promise<void> {
    await Promise.all(this.components.map((component) => component.ready()))
    const soon = '--timeout=60s'
    await Promise.all([
      // Made by the controller manager; without it no Pod is let in.
      this.kubectl(['wait', '--for=create', 'serviceaccount/default', soon], { timeout: 65_000 }),
      ...this.nodes.map(async ({ name }) => {
        await this.kubectl(['wait', '--for=create', `node/${name}`, soon], { timeout: 65_000 })
        await this.kubectl(['wait', '--for=condition=Ready', `node/${name}`, soon], { timeout: 65_000 })
      }),
    ])
  }

  /** A token of a service account. */
  async token(namespace: string, serviceAccount: string): Promise<string> {
    return (await this.kubectl(['create', 'token', serviceAccount, `--namespace=${namespace}`])).stdout
  }

  /** Puts an image, an archive on this side, into nodes: all when left out. */
  async importImage(archive: string, nodes = [...this.#nodes.keys()]): Promise<void> {
    const argv = ['ctr', '--namespace=k8s.io', 'images', 'import', '-']
    await Promise.all(nodes.map((name) => this.node(name).exec(argv, { inputFile: archive, timeout: 120_000 })))
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
  async wants(lines: number): Promise<string> {
    const options = { timeout: 5000, check: false }
    const wanting = (await this.list<Pod>('pods', undefined, { timeout: 5000 })).filter(isWanting)
    const texts = await Promise.all(
      wanting.slice(0, 10).map(async (pod) => {
        const { name, namespace } = pod.metadata
        const tail = ['--all-containers', '--prefix', '--ignore-errors', `--tail=${lines}`]
        const { stdout } = await this.kubectl(['logs', name, `--namespace=${namespace}`, ...tail], options)
        return [...whyNot(pod), ...stdout.split('\n').filter(Boolean)].join('\n')
      }),
    )
    return texts.join('\n')
  }

  /** Makes what runs in a host a service account: its files are where they are in a Pod. */
  async actAs(host: Host, namespace: string, serviceAccount: string): Promise<void> {
    const directory = host.path('/var/run/secrets/kubernetes.io/serviceaccount')
    const files = { namespace, 'ca.crt': this.ca, token: await this.token(namespace, serviceAccount) }
    await mkdir(directory, { recursive: true })
    await Promise.all(Object.entries(files).map(([name, text]) => writeFile(join(directory, name), text)))
  }
}

function named<T>(all: ReadonlyMap<string, T>, name: string, what: string): T {
  const one = all.get(name)
  if (one !== undefined) return one
  throw new CulvertError('settings', `the cluster has no ${what} ${name}`, {
    remedy: `There are ${[...all.keys()].join(', ')}`,
  })
}
