import { expect, onTestFailed } from 'vitest'
import type { Api } from '../../../kube/controller/api.ts'
import { connect } from '../../../kube/controller/cluster.ts'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { namespace } from '../operator-process.ts'
import { custom, everything, operate, startPlayed } from '../operate.ts'
import { egress, ingress } from './fake-uses.ts'

type Played = Awaited<ReturnType<typeof startPlayed>>
type Config = { readonly Hostname: string; readonly AuthKey?: string; readonly [field: string]: unknown }

export const group = (name: string, spec: object = {}, metadata: object = {}) =>
  custom('ProxyGroup', name, { type: 'egress', ...spec }, metadata)

/** All kinds of what is made for groups. */
export const all = `${everything},configmap,poddisruptionbudget`

/** A text in a Secret or a ConfigMap. */
export const textIn = (object: KubeObject | undefined, key: string): string | undefined => {
  const data = (object?.['data'] ?? object?.['binaryData'] ?? {}) as Readonly<Record<string, string>>
  return data[key] === undefined ? undefined : Buffer.from(data[key], 'base64').toString()
}

/** An API server without nodes, on which the operator brings groups, whose agents are played. */
export class GroupsBed implements AsyncDisposable {
  readonly bed: Played['bed']
  readonly real: Played['real']
  readonly shown: Played['shown']
  readonly #end: Played['end']
  /** With the rights of the operator's manifest. */
  readonly #api: Api

  private constructor({ bed, real, shown, end }: Played, api: Api) {
    this.#api = api
    this.bed = bed
    this.real = real
    this.shown = shown
    this.#end = end
  }

  static async start(): Promise<GroupsBed> {
    const played = await startPlayed()
    const { bed, real } = played
    const token = (await bed.cluster.token(namespace, 'operator')).trim()
    const { api } = await connect(real.kubeconfig('operator', { token }, real.proxy.url))
    return new GroupsBed(played, api)
  }

  /** Runs the operator, whose log is printed if the test fails. */
  async run(tailnet: Parameters<typeof operate>[1], more: Parameters<typeof operate>[2] = {}) {
    const operator = await operate(this.real, tailnet, { api: this.#api, uses: [egress, ingress], ...more })
    onTestFailed(() => console.error(operator.lines.join('\n')))
    return operator
  }

  standing(name: string, type = 'ProxyGroupReady'): Promise<string> {
    return this.shown.standing(name, 'proxygroup', type)
  }

  async isReady(name: string, replicas: number): Promise<void> {
    await expect.poll(() => this.standing(name)).toBe(`ProxyGroupReady: ${replicas} of ${replicas} replicas are ready`)
  }

  /** Of the objects of a kind that are made for a group. */
  async namesOf(kind: string, name: string): Promise<string[]> {
    return (await this.shown.children(kind, name)).map(({ metadata }) => metadata.name).toSorted()
  }

  get(kind: string, name: string): Promise<KubeObject | undefined> {
    return this.bed.cluster.get<KubeObject>(kind, name, namespace)
  }

  /** The config of a replica's device. */
  async configOf(replica: string): Promise<Config> {
    return JSON.parse(textIn(await this.get('secret', `${replica}-config`), 'cap-106.hujson') ?? '{}') as Config
  }

  /** Deletes a group, and waits until it is gone. */
  async remove(name: string): Promise<void> {
    await this.bed.cluster.kubectl(['delete', `proxygroup/${name}`, '--timeout=300s'])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end()
  }
}
