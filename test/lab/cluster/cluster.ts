import { readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { isIPv4, isIPv6 } from 'node:net'
import { join } from 'node:path'
import { CulvertError } from '../../../lib/errors.ts'
import { memberOf } from '../namespaces/cgroups.ts'
import { seenFrom } from '../namespaces/files.ts'
import type { BedRecord } from '../namespaces/record.ts'
import { Host } from '../hosts/host.ts'
import type { Programs } from '../ready.ts'
import { Addresses, apiUrl } from './addresses.ts'
import { type Audited, readAudit } from './audit.ts'
import type { Component } from './component.ts'
import { componentsOf } from './components.ts'
import { Kubectl } from './kubectl.ts'
import { clusterPaths } from './paths.ts'
import type { Pod } from './pods.ts'
import { snapshotOf } from './snapshot.ts'

export type { KubeObject, KubectlOptions } from './kubectl.ts'

/** The Kubernetes cluster of a bed. */
export class Cluster extends Kubectl {
  /** The URLs of the API server, for both families. */
  readonly url = apiUrl
  /** The address families of nodes, Pods and Services, the main one first. */
  readonly families: Addresses['families']
  readonly #components: ReadonlyMap<string, Component>
  readonly #nodes: ReadonlyMap<string, Host>
  readonly #record: BedRecord
  readonly #programs: readonly string[]
  readonly #pods: Host[] = []
  /** By node and archive. */
  readonly #imported = new Map<string, Promise<unknown>>()

  constructor(record: BedRecord, programs: Programs<'cluster'>, direct = false) {
    super(record, programs, direct)
    this.#components = componentsOf(record, programs)
    this.families = new Addresses(record.cluster).families
    const nodes = record.hosts.filter(({ node }) => node !== undefined)
    this.#record = record
    this.#programs = Object.values(programs)
    this.#nodes = new Map(nodes.map((node) => [node.name, new Host(node, this.#programs, {})]))
  }

  /** The certificate of the cluster's authority, PEM. */
  get ca(): string {
    return readFileSync(clusterPaths(this.#record.name).file('ca.crt'), 'utf8')
  }

  /** What a service account has asked the API server for so far, by the audit log, which is written after the answers. */
  async audited(namespace: string, serviceAccount: string): Promise<readonly Audited[]> {
    const log = clusterPaths(this.#record.name).file('audit.log')
    return readAudit(log, `system:serviceaccount:${namespace}:${serviceAccount}`)
  }

  get nodes(): readonly Host[] {
    return [...this.#nodes.values()]
  }

  node(name = 'node1'): Host {
    return named(this.#nodes, name, 'node')
  }

  /** The Pods that are used as hosts. */
  get pods(): readonly Host[] {
    return this.#pods
  }

  /**
   * A running Pod as a host: programs that are started in it have the Pod's network and the files and programs of its
   * node. For traffic and captures; `kubectl exec` gets into its containers.
   */
  async pod(name: string, namespace = 'default'): Promise<Host> {
    const pod = await this.get<Pod>('pod', name, namespace)
    const node = this.#record.hosts.find((host) => host.name === pod?.spec.nodeName)
    const network = pod && node && (await memberOf(this.#record.name, node.name, `pod${pod.metadata.uid}`))
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

  /**
   * A daemon, to stop, kill and start: `etcd`, `kube-apiserver`, …, `node1.containerd`, `node1.kubelet`,
   * `node1.kube-proxy`.
   */
  component(name: string): Component {
    return named(this.#components, name, 'component')
  }

  /** Returns once all nodes accept Pods. */
  async ready(): Promise<void> {
    await Promise.all(this.components.map((component) => component.ready()))
    await Promise.all([
      // Created by the controller manager; without it no Pod is admitted.
      this.waitFor('serviceaccount/default', 'create'),
      ...this.nodes.map(async ({ name }) => {
        await this.waitFor(`node/${name}`, 'create')
        await this.wait(`node/${name}`, 'Ready')
      }),
    ])
  }

  /** Keeps the cluster's state, and gives what brings it back once, as a restore of etcd does. */
  async snapshot(): Promise<() => Promise<void>> {
    const directory = seenFrom(this.#record.holder!.pid, clusterPaths(this.#record.name).etcd)
    return snapshotOf(this.component('etcd'), this.component('kube-apiserver'), directory)
  }

  /** Imports an image, an archive on this side, into nodes: all when left out. Those that have it from here keep it. */
  async importImage(archive: string, nodes = [...this.#nodes.keys()]): Promise<void> {
    const argv = ['ctr', '--namespace=k8s.io', 'images', 'import', '-']
    const imported = nodes.map((name) => {
      const key = `${name} ${archive}`
      const importing = this.#imported.get(key) ?? this.node(name).exec(argv, { inputFile: archive })
      this.#imported.set(key, importing)
      return importing
    })
    await Promise.all(imported)
  }

  /** Gives a host the files of a service account, in the same place as in a Pod. */
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
