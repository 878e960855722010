import { expect } from 'vitest'
import { connect } from '../../../kube/controller/cluster.ts'
import { keyOf, type KubeObject } from '../../../kube/controller/object.ts'
import { systemClock } from '../../../lib/clock.ts'
import { tailscaleApi } from '../../../operator/api/client.ts'
import { deviceIdIn } from '../../../operator/proxy/state.ts'
import { type Migration, migration } from '../../../operator/migrate/look.ts'
import { ApiBed, never } from '../../kube/controller/api-bed.ts'
import { type Bed, startBed } from '../../lab/bed.ts'
import type { TailnetNode } from '../../lab/control-types.ts'
import { Way } from '../../lab/way.ts'
import { settings } from '../a-world.ts'
import { namespace, OperatorProcess } from '../operator-process.ts'
import { joinOf, playAgents, type PlayedAgents } from '../played-agents.ts'
import { textsOf } from '../played-pods.ts'
import { UpstreamOperator, type UpstreamRelease } from '../upstream-operator.ts'
import { asked, isProvided, pods, theirImage } from './asked.ts'

const hosts = { operator: { network: 'cluster' } } as const
/** The node of the API server proxy, which Tailscale's operator is itself, and the state that ours has of it. */
export const apiProxy = { node: 'tailscale-operator', secret: 'apiserver-proxy-0' } as const
const podsOf = (by: keyof typeof images) => (by === 'ours' ? [...pods, apiProxy.secret].toSorted() : pods)
export const images = { theirs: theirImage, ours: 'lab.test/ours:1' } as const

type Pod = KubeObject & { spec: { containers: readonly { image: string }[] } }

/** A cluster without nodes, where Tailscale's operator and ours work one after the other; agents are played. */
export class TakeoverBed implements AsyncDisposable {
  readonly bed: Bed<keyof typeof hosts>
  readonly kube: ApiBed
  readonly upstream: UpstreamOperator
  readonly agents: PlayedAgents
  readonly #control: Way
  readonly problems: string[] = []

  private constructor(bed: TakeoverBed['bed'], kube: ApiBed, control: Way, upstream: UpstreamOperator) {
    this.bed = bed
    this.kube = kube
    this.upstream = upstream
    this.#control = control
    const problem = (text: string): void => void this.problems.push(text)
    this.agents = playAgents(kube.direct, { namespace, problem, join: joinOf(bed) })
  }

  static async start(release: UpstreamRelease): Promise<TakeoverBed> {
    const bed = await startBed({ hosts, cluster: { nodes: 0 } })
    const kube = await ApiBed.start(bed)
    const control = await Way.open(bed.cluster.argv.slice(0, -1), new URL(bed.controlUrl))
    await bed.control.putApi({ autoApproveServices: true })
    await bed.control.createNode('warehouse')
    const theirs = { PROXY_IMAGE: images.theirs, K8S_PROXY_IMAGE: images.theirs, APISERVER_PROXY: 'noauth' }
    const upstream = await UpstreamOperator.install(bed, bed.host('operator'), release, theirs)
    return new TakeoverBed(bed, kube, control, upstream)
  }

  /** Asks for everything, for groups first: what is asked of a group that begins may never get ready with Tailscale's. */
  async ask(): Promise<void> {
    const { cluster } = this.bed
    const groups = asked.filter(({ kind }) => kind === 'ProxyGroup')
    await cluster.apply(...groups)
    await Promise.all(groups.map(({ metadata }) => cluster.wait(`proxygroup/${metadata.name}`, 'ProxyGroupReady')))
    await cluster.apply(...asked)
  }

  /** Starts our operator. */
  operate(): Promise<OperatorProcess> {
    return OperatorProcess.start(this.bed, { PROXY_IMAGE: images.ours, APISERVER_PROXY: 'noauth' })
  }

  async rehearse(): Promise<Migration> {
    const { api } = await connect(this.kube.kubeconfig('admin', { token: this.kube.token }), { isDryRun: true })
    const { id, secret } = await this.bed.control.createApiClient({ tags: ['tag:k8s-operator'] })
    const loginServer = `http://${this.#control.address}`
    const files = { idFile: this.kube.file('id', id), secretFile: this.kube.file('secret', secret) }
    const tailnet = tailscaleApi(loginServer, { type: 'oauth-client', ...files })
    const apiServerProxy = { mode: 'noauth', hostname: apiProxy.node, tags: ['tag:k8s-operator'] } as const
    const own = { ...settings, loginServer: this.bed.controlUrl, proxyImage: images.ours, apiServerProxy }
    return migration({ api, tailnet, settings: own, clock: systemClock }, never)
  }

  /** Waits until all Pods have an image, each of the latest template, and all that users ask for is there. */
  async provided(by: keyof typeof images): Promise<void> {
    const { cluster } = this.bed
    const now = async () =>
      (await cluster.list<Pod>('pods', namespace)).map(({ metadata, spec, status }) => {
        const { conditions = [] } = (status ?? {}) as { conditions?: readonly { type: string; status: string }[] }
        const isReady = conditions.some(({ type, status: is }) => type === 'Ready' && is === 'True')
        return `${metadata.name.replace(/^(ts-.*)-[a-z0-9]{5}(?=-\d+$)/, '$1')} ${spec.containers[0]?.image} ${isReady}`
      })
    await expect
      .poll(async () => (await now()).toSorted())
      .toEqual(podsOf(by).map((name) => `${name} ${images[by]} true`))
    const lacking = async () => {
      const kinds = [...new Set(asked.map(({ kind }) => kind))].join(',')
      const all = await cluster.list<KubeObject>(kinds)
      const names = new Set(asked.map(({ kind, metadata }) => `${kind} ${metadata.name}`))
      return all
        .filter(({ kind, metadata }) => names.has(`${kind} ${metadata.name}`) && metadata.namespace !== namespace)
        .filter((object) => !isProvided(object))
        .map(({ kind, metadata }) => `${kind} ${metadata.name}`)
    }
    await expect.poll(lacking).toEqual([])
  }

  /** The devices and Services of the tailnet, and the keys by which the devices are known. */
  async identities() {
    const { control, cluster } = this.bed
    const nodes = (await control.nodes()).map(({ name, stableId, addresses, nodeKey }: TailnetNode) => ({
      name,
      stableId,
      addresses,
      nodeKey,
    }))
    const services = await Promise.all(
      ['svc:wiki', 'svc:shared', 'svc:k8s'].map(async (name) => {
        const { addresses, annotations } = await control.service(name)
        return { name, addresses, owners: annotations['tailscale.com/owner-references'] }
      }),
    )
    const secrets = (await cluster.list<KubeObject>('secrets', namespace)).flatMap((secret) => {
      const id = deviceIdIn(secret)
      const { _machinekey: key } = textsOf(secret)
      return id === undefined || secret.metadata.name === apiProxy.secret
        ? []
        : [{ name: secret.metadata.name, id, key }]
    })
    return { nodes, services, secrets }
  }

  /** The node that a Secret has the state of, and the key by which it is known. */
  async stateIn(name: string) {
    const texts = textsOf((await this.bed.cluster.get<KubeObject>('secret', name, namespace))!)
    const profile = JSON.parse(texts[texts['_current-profile'] ?? ''] ?? '{}') as { Config?: { NodeID?: string } }
    return { id: profile.Config?.NodeID, key: texts['_machinekey'] }
  }

  /** Everything that the operators make or change, besides Pods and what comes and goes. */
  async everything(): Promise<ReadonlyMap<string, KubeObject>> {
    const made = 'secrets,configmaps,services,serviceaccounts,statefulsets,roles,rolebindings,endpointslices'
    const kinds = `${made},poddisruptionbudgets,ingresses,connectors,proxygroups,proxyclasses`
    const all = await this.bed.cluster.list<KubeObject>(kinds)
    return new Map(all.map((object) => [`${object.kind} ${keyOf(object.metadata)}`, object]))
  }

  /** The objects that no operator has to do with, with their versions. */
  async others(): Promise<readonly string[]> {
    const kinds = 'secrets,configmaps,services,statefulsets,roles,serviceaccounts,deployments,endpointslices,ingresses'
    const all = await this.bed.cluster.list<KubeObject>(kinds)
    return all
      .filter(({ metadata }) => metadata.labels?.['foreign'] === 'true')
      .map(({ kind, metadata }) => `${kind} ${keyOf(metadata)} ${metadata.resourceVersion}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.agents[Symbol.asyncDispose]()
    await this.#control[Symbol.asyncDispose]()
    await this.kube[Symbol.asyncDispose]()
    await this.bed.down()
  }
}

/** Objects that look like those of an operator, and belong to somebody else. */
export function foreign(): readonly KubeObject[] {
  const metadata = (name: string) => ({ name, namespace, labels: { foreign: 'true' } })
  const template = { metadata: { labels: { app: 'foreign' } }, spec: { containers: [{ name: 'a', image: 'a' }] } }
  const selector = { matchLabels: { app: 'foreign' } }
  return [
    { apiVersion: 'v1', kind: 'Secret', metadata: metadata('ts-foreign-0'), stringData: { device_id: 'nForeign' } },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: metadata('foreign-egress-config') },
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: metadata('foreign') },
    { apiVersion: 'apps/v1', kind: 'Deployment', metadata: metadata('foreign'), spec: { selector, template } },
  ]
}
