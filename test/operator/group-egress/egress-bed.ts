import { expect, onTestFailed } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { parseEgressServices } from '../../../wire/egress-services.ts'
import { unpack } from '../../../wire/packed.ts'
import { OperatorBed } from '../operator-bed.ts'
import { namespace } from '../operator-process.ts'

type Fields = Readonly<Record<string, unknown>>
type Condition = { readonly type: string; readonly status: string; readonly reason: string; readonly message: string }
export type Service = KubeObject & {
  readonly spec: Fields & {
    readonly externalName?: string
    readonly clusterIP?: string
    readonly ports: readonly { readonly name: string; readonly targetPort: number }[]
  }
  readonly status: { readonly conditions?: readonly Condition[] }
}
export type Slice = {
  readonly metadata: { readonly name: string }
  readonly endpoints: readonly { readonly hostname: string }[] | null
}

export const group = (name: string, replicas: number, more: Fields = {}): KubeObject => ({
  apiVersion: 'tailscale.com/v1alpha1',
  kind: 'ProxyGroup',
  metadata: { name },
  spec: { type: 'egress', replicas, ...more },
})

/** Annotations that ask a group for a target. */
export const through = (name: string) => ({
  'tailscale.com/tailnet-fqdn': 'db.lab.ts.net',
  'tailscale.com/proxy-group': name,
})

export const service = (
  name: string,
  annotations: Readonly<Record<string, string>> = through('one'),
  spec: Fields = {},
): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'apps', annotations },
  spec: { type: 'ExternalName', externalName: 'unused', ports: [{ port: 5432 }], ...spec },
})

/** An API server with the groups `one`, of two replicas, and `two`, of one, whose agents are played. */
export class EgressBed implements AsyncDisposable {
  readonly here: OperatorBed

  private constructor(here: OperatorBed) {
    this.here = here
  }

  static async start(): Promise<EgressBed> {
    const here = await OperatorBed.start()
    const apps = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'apps' } }
    await here.bed.cluster.apply(apps, group('one', 2), group('two', 1))
    return new EgressBed(here)
  }

  /** Starts the operator, whose log is printed if the test fails. */
  async operate() {
    const operator = await this.here.operate()
    onTestFailed(() => console.error([...operator.logged, ...this.here.problems].join('\n')))
    return operator
  }

  async get(name: string): Promise<Service | undefined> {
    return this.here.bed.cluster.get<Service>('service', name, 'apps')
  }

  /** Status, reason and message of a condition of a Service. */
  async condition(name: string, type = 'Ready'): Promise<string> {
    const all = (await this.get(name))?.status.conditions ?? []
    const found = all.find((one) => one.type === `TailscaleEgressSvc${type}`)
    return found === undefined ? 'nothing' : `${found.status} ${found.reason}: ${found.message}`
  }

  /** The reasons of the Events of a Service. */
  async told(name: string): Promise<readonly string[]> {
    type Listed = { readonly reason: string; readonly involvedObject: { readonly name: string } }
    return (await this.here.bed.cluster.list<Listed>('events', 'apps'))
      .filter(({ involvedObject }) => involvedObject.name === name)
      .map(({ reason }) => reason)
  }

  /** Changes annotations of a Service as a user does; null removes. */
  async annotate(name: string, annotations: Readonly<Record<string, string | null>>): Promise<void> {
    const patch = JSON.stringify({ metadata: { annotations } })
    await this.here.bed.cluster.kubectl([
      'patch',
      'service',
      name,
      '--namespace=apps',
      '--type=merge',
      `--patch=${patch}`,
    ])
  }

  async remove(...names: readonly string[]): Promise<void> {
    await this.here.bed.cluster.kubectl(['delete', 'service', ...names, '--namespace=apps', '--wait=false'])
  }

  /** What the operator has made for a Service in a group. */
  async childrenOf<T = Service>(name: string, kind = 'services'): Promise<readonly T[]> {
    const selector = `--selector=tailscale.com/parent-resource=${name},tailscale.com/svc-type=egress`
    return (await this.#json<{ items: T[] }>(kind, selector)).items
  }

  /** How many Pods each EndpointSlice of a Service has. */
  async endpoints(name: string): Promise<readonly number[]> {
    return (await this.childrenOf<Slice>(name, 'endpointslices')).map(({ endpoints: all }) => all?.length ?? 0)
  }

  /** The names of the Services that the files of a group have. */
  async files(name: string): Promise<readonly string[]> {
    type ConfigMap = { readonly binaryData?: Readonly<Record<string, string>> }
    const config = await this.here.bed.cluster.get<ConfigMap>('configmap', `${name}-egress-config`, namespace)
    const bytes = Buffer.from(config?.binaryData?.['egress-services'] ?? '', 'base64')
    return bytes.length === 0 ? [] : [...parseEgressServices(unpack(bytes)).services.keys()]
  }

  /** Waits until nothing is left of a Service that is gone, or that asks for nothing any more. */
  async nothingLeft(name: string): Promise<void> {
    const kinds = 'services,endpointslices,statefulsets,pods,secrets,serviceaccounts,roles,rolebindings'
    const selector = `--selector=tailscale.com/parent-resource=${name}`
    await expect.poll(async () => (await this.#json<{ items: unknown[] }>(kinds, selector)).items).toEqual([])
    for (const one of ['one', 'two']) await expect.poll(() => this.files(one)).not.toContain(`apps-${name}`)
    await expect.poll(async () => (await this.get(name))?.metadata.finalizers).toBeUndefined()
  }

  async #json<T>(kinds: string, selector: string): Promise<T> {
    const argv = ['get', kinds, `--namespace=${namespace}`, selector, '--output=json']
    return JSON.parse((await this.here.bed.cluster.kubectl(argv)).stdout) as T
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.here[Symbol.asyncDispose]()
  }
}
