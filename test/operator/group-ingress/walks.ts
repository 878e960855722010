import { isDeepStrictEqual } from 'node:util'
import { expect } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { secrets, services } from '../../../operator/objects/resources.ts'
import { configuredIn, replicaName } from '../../../operator/group-ingress/replicas.ts'
import { never } from '../../kube/controller/api-bed.ts'
import { namespace } from '../operator-process.ts'
import { backend, endpoints, type GroupBed, proxyGroup } from './group-bed.ts'

type Texts = Readonly<Record<string, string | null>>
type Status = { readonly conditions?: readonly { readonly type: string; readonly status: string }[] }

/** The groups through which Services walk: two of ingress, one of egress. */
export const walkGroups: readonly KubeObject[] = [
  proxyGroup('one', 2),
  proxyGroup('two', 1),
  { ...proxyGroup('out', 1), spec: { type: 'egress', replicas: 1 } },
]
const replicas = { one: 2, two: 1 } as const

/** How a Service is reached: what makes it so, and how it then stands. */
type Kind = { readonly annotations: Texts; readonly standing: readonly string[] }

const [expose, group, target] = ['tailscale.com/expose', 'tailscale.com/proxy-group', 'tailscale.com/tailnet-ip']
const inGroup = ['TailscaleIngressSvcConfigured', 'TailscaleIngressSvcValid', 'Tailscale Service']
const throughGroup = ['TailscaleEgressSvcConfigured', 'TailscaleEgressSvcReady', 'TailscaleEgressSvcValid']
const kinds: Readonly<Record<string, Kind>> = {
  'by a proxy of its own': {
    annotations: { [expose]: 'true' },
    standing: ['TailscaleProxyReady', 'node', 'ClusterIP'],
  },
  'by a group': { annotations: { [group]: 'one' }, standing: [...inGroup, 'hosted by one', 'ClusterIP'] },
  'by another group': { annotations: { [group]: 'two' }, standing: [...inGroup, 'hosted by two', 'ClusterIP'] },
  'as egress by a proxy of its own': {
    annotations: { [group]: null, [expose]: null, [target]: '100.64.99.99' },
    standing: ['TailscaleProxyReady', 'node', 'ExternalName'],
  },
  'as egress by a group': { annotations: { [group]: 'out' }, standing: [...throughGroup, 'ExternalName'] },
  'not at all': { annotations: { [group]: null, [target]: null }, standing: ['ClusterIP'] },
}

/** What happens around each step: before its beginning, and in the middle of it, when it may be done already. */
export type Trouble = {
  readonly before?: () => Promise<void>
  readonly meanwhile: (isDone: () => Promise<boolean>) => Promise<void>
}

/** A Service that becomes all that a Service can be. */
export class Walker {
  readonly #here: GroupBed
  readonly #name: string

  constructor(here: GroupBed, name: string) {
    this.#here = here
    this.#name = name
  }

  async create(): Promise<void> {
    const { metadata, ...rest } = backend(this.#name)
    const annotations = { 'tailscale.com/hostname': this.#name }
    await this.#here.cluster.apply({ ...rest, metadata: { ...metadata, annotations } }, endpoints(this.#name, true))
  }

  /** Goes through all kinds, and looks at what there is of it after each step. */
  async walk(trouble?: Trouble): Promise<void> {
    for (const [what, { annotations, standing }] of Object.entries(kinds)) {
      const patch = { type: 'merge', body: { metadata: { annotations } }, manager: 'user' } as const
      await trouble?.before?.()
      await this.#here.at.kube.direct.patch(services, { name: this.#name, namespace: 'default' }, patch, never)
      const wanted = standing.toSorted()
      await trouble?.meanwhile(async () => isDeepStrictEqual(await this.#standing(), wanted))
      await expect.poll(() => this.#standing(), { message: `${this.#name}, ${what}` }).toEqual(wanted)
    }
  }

  async #standing(): Promise<readonly string[]> {
    const { at, control } = this.#here
    const service = (await at.kube.direct.get(services, { name: this.#name, namespace: 'default' }, never))!
    const { conditions = [] } = service['status'] as Status
    const { type } = service['spec'] as { readonly type: string }
    const nodes = await control.nodes()
    return [
      ...conditions.map((one) => (one.status === 'True' ? one.type : `not ${one.type}`)),
      ...nodes.flatMap(({ name }) => (name === this.#name ? ['node'] : [])),
      ...((await this.#here.service(`svc:${this.#name}`)) === undefined ? [] : ['Tailscale Service']),
      ...(await this.#hosts()),
      type,
    ].toSorted()
  }

  /** The groups whose replicas are to host it, and the replicas whose config differs from that of the others. */
  async #hosts(): Promise<readonly string[]> {
    const all = Object.entries(replicas).map(async ([name, count]) => {
      const configs = Array.from({ length: count }, (_, ordinal) =>
        this.#here.at.kube.direct.get(secrets, { name: `${replicaName(name, ordinal)}-config`, namespace }, never),
      )
      const hosting = (await Promise.all(configs)).filter(
        (config) => config !== undefined && configuredIn(config).has(`svc:${this.#name}`),
      ).length
      return hosting === 0 ? [] : [`${hosting === count ? '' : 'partly '}hosted by ${name}`]
    })
    return (await Promise.all(all)).flat()
  }
}

/** What is in the cluster and in the tailnet for no group. */
const leftIn = async (here: GroupBed): Promise<readonly string[]> => [
  ...(await here.made()),
  ...(await here.control.nodes()).map(({ name }) => name).toSorted(),
]

/** The same without any Service, once all groups are there; the operator runs. */
export async function groupsOnly(here: GroupBed): Promise<readonly string[]> {
  await expect.poll(async () => (await here.control.nodes()).length).toBe(4)
  return leftIn(here)
}

/** Removes the Services again; there is what was there before. */
export async function gone(here: GroupBed, before: readonly string[], ...names: readonly string[]): Promise<void> {
  await here.remove(...names.map((name) => `service/${name}`))
  for (const name of names) await expect.poll(() => here.cluster.get('service', name)).toBeUndefined()
  await expect.poll(() => leftIn(here)).toEqual(before)
}

/** Has Services of these names walk at the same time, each so often, and looks what is left. */
export async function walkThroughAll(here: GroupBed, names: readonly string[], times: number): Promise<void> {
  const before = await groupsOnly(here)
  await Promise.all(
    names.map(async (name) => {
      const walker = new Walker(here, name)
      await walker.create()
      for (let time = 1; time <= times; time += 1) await walker.walk()
    }),
  )
  await gone(here, before, ...names)
}
