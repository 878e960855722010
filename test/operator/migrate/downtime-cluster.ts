import { expect } from 'vitest'
import { visitFrom } from '../../agent/serving.ts'
import { clientPod } from '../../e2e/client-pod.ts'
import { nodeAddresses, serviceAddresses } from '../../e2e/cluster.ts'
import { ask, type Bed, type Host, startBed, startEcho, startTraffic } from '../../lab/bed.ts'
import { siteObjects } from '../../lab/cluster/ingress.ts'
import { backendObjects } from '../../lab/cluster/proxy.ts'
import { buildImage, buildUpstreamImage, type Image } from '../../lab/images/image.ts'
import { poll } from '../../lab/poll.ts'
import { custom } from '../operate.ts'
import { namespace, OperatorProcess } from '../operator-process.ts'
import { unpulled, UpstreamOperator } from '../upstream-operator.ts'

const hosts = {
  client: { network: 'wan', tailscaled: { up: ['--accept-routes'] } },
  warehouse: { network: 'wan', tailscaled: true },
  operator: { network: 'cluster' },
} as const

const servicesRange = '10.96.0.0/16'
const asks = (name: string, annotations: Readonly<Record<string, string>>) => {
  const all = Object.entries(annotations).map(([key, value]) => [`tailscale.com/${key}`, value])
  return { name, namespace: 'default', annotations: Object.fromEntries(all) as object }
}
const outside = { type: 'ExternalName', externalName: 'placeholder', ports: [{ port: 7000 }] }
const exposed = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: asks(name, { expose: 'true', hostname: name }),
  spec: { selector: { app: 'backend' }, ipFamilyPolicy: 'PreferDualStack', ports: [{ port: 7000 }] },
})
const balanced = (name: string, annotations: Readonly<Record<string, string>>) => {
  const { spec, ...service } = exposed(name)
  const type = { type: 'LoadBalancer', loadBalancerClass: 'tailscale' }
  return { ...service, metadata: asks(name, { hostname: name, ...annotations }), spec: { ...spec, ...type } }
}
const led = (name: string, annotations: Readonly<Record<string, string>>) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: asks(name, { 'tailnet-fqdn': 'warehouse.lab.ts.net', ...annotations }),
  spec: outside,
})
const site = (name: string, annotations: Readonly<Record<string, string>>) => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: asks(name, annotations),
  spec: {
    ingressClassName: 'tailscale',
    tls: [{ hosts: [name] }],
    defaultBackend: { service: { name: 'site', port: { number: 80 } } },
  },
})

/** Groups come first: what is asked of one that begins may never get ready with Tailscale's operator. */
const groups = [
  custom('ProxyGroup', 'out', { type: 'egress', replicas: 2 }),
  custom('ProxyGroup', 'in', { type: 'ingress', replicas: 2 }),
]

/** One of each kind, all of which lead to something that answers. */
const asked = [
  custom('Connector', 'router', {
    hostname: 'router',
    proxyClass: 'lab',
    subnetRouter: { advertiseRoutes: [servicesRange] },
  }),
  exposed('web'),
  balanced('shared', { 'proxy-group': 'in' }),
  led('db', {}),
  site('pages', { 'http-redirect': 'true' }),
  led('remote', { 'proxy-group': 'out' }),
]

/** How long nothing was answered, in seconds, and how many exchanges failed of how many. */
export type Seen = { readonly gap: number; readonly failed: number; readonly of: number }
/** Gives what was seen until now since the last call; that it is answered now is waited for. */
type Watch = () => Promise<Seen>

/** A cluster with Pods, where Tailscale's operator and ours work one after the other, and what everybody sees of that. */
export class DowntimeCluster implements AsyncDisposable {
  readonly bed: Bed<keyof typeof hosts>
  readonly upstream: UpstreamOperator
  readonly #ours: Image
  readonly #theirs: Image
  readonly #pod: Host

  private constructor(bed: DowntimeCluster['bed'], upstream: UpstreamOperator, images: [Image, Image], pod: Host) {
    this.bed = bed
    this.upstream = upstream
    this.#ours = images[0]
    this.#theirs = images[1]
    this.#pod = pod
  }

  static async start(): Promise<DowntimeCluster> {
    const images = [await buildImage(), await buildUpstreamImage()] as [Image, Image]
    const bed = await startBed({ hosts, cluster: { nodes: 1 } })
    const { cluster } = bed
    const proxies = { PROXY_IMAGE: images[1].reference, PROXY_DEFAULT_CLASS: 'lab' }
    const [upstream] = await Promise.all([
      UpstreamOperator.install(bed, bed.host('operator'), '1.102', proxies),
      ...images.map(({ archive }) => cluster.importImage(archive)),
      cluster.apply(...backendObjects('backend'), ...siteObjects('site'), clientPod('client', 'node1')),
      startEcho(bed.host('warehouse')),
    ])
    await cluster.apply(unpulled('lab'))
    await Promise.all(['backend', 'client', 'site'].map((name) => cluster.wait(`pod/${name}`, 'Ready')))
    return new DowntimeCluster(bed, upstream, images, await cluster.pod('client'))
  }

  /** Has everything made. */
  async ask(): Promise<void> {
    await this.upstream.start()
    // Services of egress that meet a default class that is not ready yet are forgotten.
    await this.bed.cluster.wait('proxyclass/lab', 'ProxyClassReady')
    await this.bed.control.putApi({ autoApproveServices: true })
    await this.bed.cluster.apply(...groups)
    for (const { metadata } of groups) await this.bed.cluster.wait(`proxygroup/${metadata.name}`, 'ProxyGroupReady')
    await this.bed.cluster.apply(...asked)
    const names = async () => (await this.bed.control.nodes()).map(({ name }) => name)
    await expect.poll(names).toContain('router')
    await this.bed.control.patchNode('router', { routes: [servicesRange] })
  }

  operate(): Promise<OperatorProcess> {
    return OperatorProcess.start(this.bed, { PROXY_IMAGE: this.#ours.reference, PROXY_DEFAULT_CLASS: 'lab' })
  }

  /** Waits until all Pods have the agent of an operator, and are ready. */
  async rolledOut(to: 'ours' | 'theirs'): Promise<void> {
    const { reference } = to === 'ours' ? this.#ours : this.#theirs
    type Pod = {
      spec: { containers: readonly { image: string }[] }
      status: { conditions?: readonly { type: string; status: string }[] }
    }
    const lacking = async () =>
      (await this.bed.cluster.list<Pod>('pods', namespace, { selector: 'tailscale.com/managed=true' })).filter(
        ({ spec, status }) =>
          spec.containers[0]?.image !== reference ||
          status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') !== true,
      ).length
    const count = async () =>
      (await this.bed.cluster.list('pods', namespace, { selector: 'tailscale.com/managed=true' })).length
    await expect.poll(async () => [await count(), await lacking()]).toEqual([8, 0])
  }

  /** Watches every kind. */
  async watch(): Promise<Readonly<Record<string, Watch>>> {
    const { bed } = this
    const client = bed.host('client')
    // Pods of Tailscale's agent are ready before they have joined.
    const joined = (name: string) => poll(`that ${name} joins`, () => nodeAddresses(bed, name).catch(() => undefined))
    const web = (await joined('web')).v4
    const to = (await joined('pages')).v4
    const page = () => visitFrom(client, { name: 'pages.lab.ts.net', to, port: 80, tls: false, path: '/' })
    const [shared] = (await bed.control.service('svc:shared')).addresses
    const backend = (await serviceAddresses(bed.cluster, 'backend')).v4
    return {
      'L3 ingress': await this.#connections(client, web, 'backend'),
      'L7 ingress': this.#exchanges(async () => typeof (await page()) === 'object'),
      'L3 egress': this.#exchanges(async () => this.#byName()),
      Connector: await this.#connections(client, backend, 'backend'),
      'group, ingress': await this.#connections(client, shared, 'backend'),
      'group, egress': await this.#connections(this.#pod, await this.#groupAddress(), 'warehouse'),
    }
  }

  async #groupAddress(): Promise<string> {
    type Service = { spec: { externalName: string; clusterIP: string } }
    const { cluster } = this.bed
    const name = async () => (await cluster.get<Service>('service', 'remote'))?.spec.externalName.split('.')[0] ?? ''
    await expect.poll(name).toMatch(/^ts-/)
    return (await cluster.get<Service>('service', await name(), namespace))?.spec.clusterIP ?? ''
  }

  /** Whether a Pod reaches the warehouse by the name of the Service `db`. */
  async #byName(): Promise<boolean> {
    const lookup = ['exec', 'client', '--', 'nslookup', 'db.default.svc.cluster.local']
    const { stdout } = await this.bed.cluster.kubectl(lookup, { check: false })
    const [to] = [
      ...stdout
        .split('\n\n')
        .slice(1)
        .join('\n')
        .matchAll(/^Address(?: \d+)?: *([\d.]+)$/gm),
    ].map(([, v4]) => v4)
    if (to === undefined) return false
    const answer = await ask(this.#pod, { to, protocol: 'tcp', patience: 2000 }).catch(() => undefined)
    return answer?.host === 'warehouse'
  }

  /** New connections, four in a second; the first is waited for. */
  async #connections(from: Host, to: string, host: string): Promise<Watch> {
    const answered = () => ask(from, { to, protocol: 'tcp', patience: 2000 }).catch(String)
    await expect.poll(answered).toMatchObject({ host })
    const options = { to, protocol: 'tcp', mode: 'connect', every: 250, patience: 2000 } as const
    let traffic = await startTraffic(from, options)
    return async () => {
      await expect.poll(answered).toMatchObject({ host })
      const { longestGap, sent, answered: good } = await traffic.stop()
      traffic = await startTraffic(from, options)
      return { gap: longestGap / 1000, failed: sent - good, of: sent }
    }
  }

  /** One exchange after the other, for what cannot be done by `startTraffic`. */
  #exchanges(once: () => Promise<boolean>): Watch {
    let seen: { at: number; ok: boolean }[] = []
    const run = async (): Promise<void> => {
      while (!this.#isOver) {
        const at = performance.now()
        const ok = await once().catch(() => false)
        seen.push({ at: ok ? performance.now() : at, ok })
        await new Promise((resolve) => setTimeout(resolve, 500))
      }
    }
    const running = run()
    this.#ends.push(() => running)
    return async () => {
      await expect.poll(() => seen.at(-1)?.ok).toBe(true)
      const good = seen.filter(({ ok }) => ok).map(({ at }) => at)
      const gap = Math.max(0, ...good.slice(1).map((at, index) => at - good[index]!)) / 1000
      const result = { gap, failed: seen.length - good.length, of: seen.length }
      seen = seen.slice(-1)
      return result
    }
  }

  #isOver = false
  readonly #ends: (() => Promise<unknown>)[] = []

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    await Promise.all(this.#ends.map((end) => end()))
    await this.upstream.stop().catch(() => {})
    await this.bed.down()
  }
}
