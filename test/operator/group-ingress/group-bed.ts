import { expect } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import type { Bed } from '../../lab/bed.ts'
import { printLogsOnFailure } from '../../lab/vitest.ts'
import type { TailnetService } from '../../lab/control-types.ts'
import { OperatorBed } from '../operator-bed.ts'
import { namespace } from '../operator-process.ts'

type Texts = Readonly<Record<string, string | null>>
type Status = {
  readonly loadBalancer?: { readonly ingress?: readonly object[] }
  readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message: string }[]
}

/** What belongs to groups, rather than to what uses them. */
const ofGroups =
  /^(?:secret\/\w+-\d+(?:-config)?|configmap\/\w+-(?:ingress|egress|api)-config|(?:role|rolebinding)\S*\/\w+) ?$/

/** A cluster whose agents are played, with the backend `site` and groups of ingress proxies. */
export class GroupBed implements AsyncDisposable {
  readonly at: OperatorBed

  constructor(at: OperatorBed) {
    this.at = at
  }

  /** `tailnet`: the bed whose tailnet it shares, instead of one of its own. */
  static async start(tailnet?: Bed): Promise<GroupBed> {
    const made = new GroupBed(await OperatorBed.start(tailnet))
    await made.cluster.apply(backend('site'), endpoints('site', true))
    return made
  }

  get cluster() {
    return this.at.bed.cluster
  }

  get control() {
    return this.at.tailnet.control
  }

  printLogsOnFailure(): void {
    printLogsOnFailure(this.at.bed)
  }

  async remove(...what: readonly string[]): Promise<void> {
    await this.cluster.kubectl(['delete', ...what, '--wait=false'])
  }

  /** Changes the annotations of an object as a user does; null removes. */
  async annotate(kind: string, name: string, annotations: Texts): Promise<void> {
    const patch = JSON.stringify({ metadata: { annotations } })
    await this.cluster.kubectl(['patch', kind, name, '--type=merge', `--patch=${patch}`])
  }

  async #status(kind: string, name: string): Promise<Status> {
    return (await this.cluster.get<KubeObject & { status?: Status }>(kind, name))?.status ?? {}
  }

  /** Where an object says that it is reachable. */
  async entries(kind: string, name: string): Promise<readonly object[]> {
    return (await this.#status(kind, name)).loadBalancer?.ingress ?? []
  }

  /** A condition in words. */
  async condition(kind: string, name: string, type = 'TailscaleIngressSvcConfigured'): Promise<string> {
    const found = (await this.#status(kind, name)).conditions?.find((one) => one.type === type)
    return found === undefined ? 'none' : `${found.status}: ${found.message}`
  }

  /** The messages of an object's Events with this reason. */
  async told(kind: string, reason: string): Promise<readonly string[]> {
    type Listed = KubeObject & { reason: string; message: string; involvedObject: { kind: string } }
    return (await this.cluster.list<Listed>('events', 'default'))
      .filter((event) => event.involvedObject.kind === kind && event.reason === reason)
      .map(({ message }) => message)
  }

  /** What the configs of a group's replicas let each of them advertise. */
  async advertised(group: string): Promise<readonly string[]> {
    const all = await this.cluster.list<KubeObject & { data?: Record<string, string> }>('secrets', namespace)
    return all
      .filter(({ metadata }) => new RegExp(`^${group}-\\d+-config$`).test(metadata.name))
      .toSorted((one, other) => (one.metadata.name < other.metadata.name ? -1 : 1))
      .map(({ data = {} }) => {
        const [text = ''] = Object.entries(data).flatMap(([key, value]) => (key.startsWith('cap-') ? [value] : []))
        const config = JSON.parse(Buffer.from(text, 'base64').toString() || '{}') as { AdvertiseServices?: string[] }
        return config.AdvertiseServices?.join() ?? ''
      })
  }

  /** Whether replicas of a group may list the Secrets of their namespace: yes or no. */
  async mayList(group: string): Promise<string> {
    const who = [`--as=system:serviceaccount:${namespace}:${group}`, `--namespace=${namespace}`]
    return (await this.cluster.kubectl(['auth', 'can-i', 'list', 'secrets', ...who], { check: false })).stdout.trim()
  }

  /** A Tailscale Service; undefined if there is none. */
  async service(name: string): Promise<TailnetService | undefined> {
    return this.control.service(name).catch(() => undefined)
  }

  async owners(name: string): Promise<number> {
    const text = (await this.service(name))?.annotations['tailscale.com/owner-references']
    return text === undefined ? 0 : (JSON.parse(text) as { ownerRefs: unknown[] }).ownerRefs.length
  }

  /** What is in the cluster for what uses groups. */
  async made(): Promise<readonly string[]> {
    const where = [`--namespace=${namespace}`, '--selector=tailscale.com/managed=true', '--output=name']
    const { stdout } = await this.cluster.kubectl(['get', 'configmaps,secrets,roles,rolebindings', ...where])
    return stdout.split('\n').filter((line) => line !== '' && !ofGroups.test(line.replace(/\.rbac\S*?\//, '/')))
  }

  /** Waits until objects, such as `service/db`, have gone, so that others can have their names. */
  async absent(...what: readonly string[]): Promise<void> {
    for (const one of what) {
      const [kind = '', name = ''] = one.split('/')
      await expect.poll(() => this.cluster.get(kind, name)).toBeUndefined()
    }
  }

  /** Waits until nothing is left of an object. */
  async gone(kind: string, name: string, service: string): Promise<void> {
    await this.absent(`${kind}/${name}`)
    expect(await this.made()).toEqual([])
    expect(await this.service(service)).toBeUndefined()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.at[Symbol.asyncDispose]()
  }
}

export const backend = (name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'default' },
  spec: { ports: [{ port: 80 }] },
})

/** As the cluster's own controller makes them. */
export const endpoints = (name: string, ready: boolean): KubeObject => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: `${name}-1`, namespace: 'default', labels: { 'kubernetes.io/service-name': name } },
  addressType: 'IPv4',
  ports: [{ port: 80 }],
  endpoints: [{ addresses: ['10.88.9.9'], conditions: { ready } }],
})

export const proxyGroup = (name: string, replicas = 2): KubeObject => ({
  apiVersion: 'tailscale.com/v1alpha1',
  kind: 'ProxyGroup',
  metadata: { name },
  spec: { type: 'ingress', replicas },
})

export const ingress = (name: string, host: string, annotations: object = {}): KubeObject => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { name, namespace: 'default', annotations: { 'tailscale.com/proxy-group': 'one', ...annotations } },
  spec: {
    ingressClassName: 'tailscale',
    tls: [{ hosts: [host] }],
    defaultBackend: { service: { name: 'site', port: { number: 80 } } },
  },
})

export const balancer = (name: string, annotations: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: {
    name,
    namespace: 'default',
    annotations: { 'tailscale.com/proxy-group': 'one', 'tailscale.com/hostname': name, ...annotations },
  },
  spec: {
    type: 'LoadBalancer',
    loadBalancerClass: 'tailscale',
    ipFamilyPolicy: 'PreferDualStack',
    ports: [{ port: 80 }],
  },
})
