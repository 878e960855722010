import { expect, onTestFailed } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { finalizer } from '../../../operator/objects/names.ts'
import { heldIn } from '../../../operator/proxy/auth-key.ts'
import { ApiBed } from '../../kube/controller/api-bed.ts'
import { type Bed, startBed } from '../../lab/bed.ts'
import { installOperator, namespace, OperatorProcess } from '../operator-process.ts'
import { joinOf, playAgents, type PlayedAgents } from '../played-agents.ts'

type Texts = Readonly<Record<string, string>>
type Conditions = {
  readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message: string }[]
}

/** An API server without nodes, where agents are played, and a tailnet; the operator runs as a process. */
export class EngineBed implements AsyncDisposable {
  readonly bed: Bed
  readonly agents: PlayedAgents
  /** What the played agents report as wrong. */
  readonly problems: string[] = []
  readonly #api: ApiBed

  private constructor(bed: Bed, api: ApiBed) {
    this.bed = bed
    this.#api = api
    this.agents = playAgents(api.direct, {
      namespace,
      problem: (text) => void this.problems.push(text),
      join: joinOf(bed),
    })
  }

  /** `install`: puts into the cluster what the operator needs there. */
  static async start(install: (bed: Bed) => Promise<void> = installOperator): Promise<EngineBed> {
    const bed = await startBed({ hosts: {}, cluster: { nodes: 0 } })
    const api = await ApiBed.start(bed)
    await install(bed)
    return new EngineBed(bed, api)
  }

  /** Starts an operator, whose log is printed if the test fails. */
  async operate(more: Texts = {}): Promise<OperatorProcess> {
    const operator = await OperatorProcess.start(this.bed, more)
    onTestFailed(() => console.error([...operator.logged, ...this.problems].join('\n')))
    return operator
  }

  /** What the condition of an object says: `True`, or why not. */
  async ready(kind: string, name: string, within?: string): Promise<string | undefined> {
    const status = (await this.bed.cluster.get<{ status?: Conditions }>(kind, name, within))?.status
    const condition = status?.conditions?.find(({ type }) => type.endsWith('Ready'))
    return condition?.status === 'True' ? 'True' : condition?.message
  }

  /** Changes the annotations of a Service as a user does; null removes. */
  async annotate(name: string, annotations: Readonly<Record<string, string | null>>): Promise<void> {
    const patch = JSON.stringify({ metadata: { annotations } })
    await this.bed.cluster.kubectl(['patch', 'service', name, '--type=merge', `--patch=${patch}`])
  }

  async remove(...what: readonly string[]): Promise<void> {
    await this.bed.cluster.kubectl(['delete', ...what, '--wait=false'])
  }

  /** Everything that the operator has made, as `kind name version`. */
  async made(
    kinds = 'services,secrets,serviceaccounts,roles,rolebindings,statefulsets,pods',
  ): Promise<readonly string[]> {
    const objects = await this.bed.cluster.list(kinds, namespace, { selector: 'tailscale.com/managed=true' })
    return objects
      .map(({ kind, metadata }) => `${kind} ${metadata.name} ${String(metadata['resourceVersion'])}`)
      .toSorted()
  }

  async nodeNames(): Promise<readonly string[]> {
    return (await this.bed.control.nodes()).map(({ name }) => name).toSorted()
  }

  /**
   * Waits until also that is written which may follow a moment after all are ready: an auth key that was used is taken
   * out, and a StatefulSet counts its Pods.
   */
  async settled(): Promise<void> {
    type Counted = KubeObject & { spec: { replicas: number }; status?: { readyReplicas?: number } }
    const moving = async (): Promise<readonly string[]> => {
      const [all, sets] = await Promise.all([
        this.bed.cluster.list<KubeObject>('secrets', namespace),
        this.bed.cluster.list<Counted>('statefulsets', namespace),
      ])
      return [
        ...all.filter((secret) => heldIn(secret) !== undefined),
        ...sets.filter(({ spec, status }) => status?.readyReplicas !== spec.replicas),
      ].map(({ metadata }) => metadata.name)
    }
    await expect.poll(moving).toEqual([])
  }

  /** Nothing is left in the cluster and in the tailnet, and nothing waits for the operator in order to go. */
  async nothingLeft(): Promise<void> {
    await expect.poll(() => this.made()).toEqual([])
    const held = async () =>
      (await this.bed.cluster.list<KubeObject>('services,connectors')).filter(
        ({ metadata }) => metadata.finalizers?.includes(finalizer) === true,
      )
    await expect.poll(held).toEqual([])
    expect(await this.bed.control.nodes()).toEqual([])
    expect(await this.bed.control.keys()).toEqual([])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.agents[Symbol.asyncDispose]()
    await this.#api[Symbol.asyncDispose]()
    await this.bed.down()
  }
}

export const expose = { 'tailscale.com/expose': 'true' }

export const service = (name: string, annotations: Texts, spec: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'default', annotations },
  spec: { selector: { app: 'a' }, ports: [{ port: 80 }], ...spec },
})

export const connector = (name: string, spec: object): KubeObject => ({
  apiVersion: 'tailscale.com/v1alpha1',
  kind: 'Connector',
  metadata: { name },
  spec: { subnetRouter: { advertiseRoutes: ['10.7.0.0/16'] }, ...spec },
})
