import { expect } from 'vitest'
import { ask, type Bed, type Host, startBed } from '../lab/bed.ts'
import { groupConfig, groupObjects, type GroupSpec, replicasOf } from '../lab/cluster/group.ts'
import {
  authorityObjects,
  fqdnOf,
  type IngressSpec,
  serveConfigText,
  serviceOf,
  siteObjects,
  tlsObjects,
} from '../lab/cluster/ingress.ts'
import { deviceConfig, proxyBase, proxyNamespace } from '../lab/cluster/proxy.ts'
import type { TailnetService } from '../lab/control-types.ts'
import { buildImage, type Image } from '../lab/images/image.ts'
import { ProxyPod, serviceAddresses } from './cluster.ts'
import { restartRollout, rolledOut } from './rollout.ts'

const group = { name: 'ingress', type: 'ingress', replicas: 3 } as const

/** Three clients, so that each replica has one. */
const hosts = {
  client1: { network: 'wan', tailscaled: true },
  client2: { network: 'wan', tailscaled: true },
  client3: { network: 'wan', tailscaled: true },
} as const

type Options = Pick<GroupSpec, 'container'> & {
  /** Added to the agents' environment. */
  readonly env?: Readonly<Record<string, string>>
  /** The image to run; this project's when left out. */
  readonly image?: Promise<Image>
}

/** A certificate and its key, PEM; empty before they are issued. */
export type Pair = { readonly crt: string; readonly key: string }

/**
 * A ProxyGroup of three ingress proxies in a cluster, what an operator does for it, a site named `web` behind it, and
 * clients of the tailnet that trust the bed's certificate authority.
 */
export class IngressBed implements AsyncDisposable {
  readonly bed: Bed<keyof typeof hosts>
  readonly replicas: readonly ProxyPod[]
  readonly #ingresses = new Map<string, IngressSpec>()
  readonly #authKey: string
  #advertised = ''

  private constructor(bed: IngressBed['bed'], authKey: string) {
    this.bed = bed
    this.#authKey = authKey
    this.replicas = replicasOf(group).map((name) => new ProxyPod(bed.cluster, name))
  }

  /** Returns once the replicas are created, not necessarily ready. */
  static async start({ env = {}, image: building = buildImage(), container = {} }: Options = {}): Promise<IngressBed> {
    const [image, bed] = await Promise.all([building, startBed({ acme: true, hosts, cluster: { nodes: 2 } })])
    try {
      const { cluster } = bed
      const authority = authorityObjects(await bed.acme.trust())
      await Promise.all([
        cluster.importImage(image.archive),
        cluster.apply(...proxyBase(), ...siteObjects('web'), ...authority.objects),
      ])
      const authKey = await bed.authKey({ reusable: true, tags: ['tag:k8s'] })
      await cluster.apply(
        ...groupObjects({
          ...group,
          image: image.reference,
          container,
          authKey,
          env: { TS_NO_LOGS_NO_SUPPORT: 'true', ...authority.env, ...env },
          mounts: authority.mounts,
        }),
      )
      return new IngressBed(bed, authKey)
    } catch (error) {
      await bed.down()
      throw error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.bed.down()
  }

  get clients(): readonly Host[] {
    return Object.keys(hosts).map((name) => this.bed.host(name as keyof typeof hosts))
  }

  /** Sets up an Ingress as operators do, except for what has to wait for its certificate. */
  async add(spec: IngressSpec): Promise<void> {
    await this.bed.control.putService(serviceOf(spec), { ports: ['tcp:443'], autoApprove: true })
    this.#ingresses.set(spec.name, spec)
    await this.operate()
  }

  /** Removes an Ingress in the order in which operators do. */
  async remove(name: string): Promise<void> {
    this.#ingresses.delete(name)
    await this.operate()
    await this.bed.control.removeService(serviceOf({ name }))
    const where = [fqdnOf({ name }), `--namespace=${proxyNamespace}`]
    for (const kind of ['rolebinding', 'role', 'secret']) await this.bed.cluster.kubectl(['delete', kind, ...where])
  }

  /**
   * One pass of an operator: it creates missing TLS Secrets, empty, with the permissions for them; writes the serve
   * config; and lets all replicas advertise what has a certificate. Returns the latter.
   */
  async operate(): Promise<string[]> {
    const { cluster } = this.bed
    const all = [...this.#ingresses.values()]
    const pairs = await Promise.all(all.map(({ name }) => this.pair(name)))
    await cluster.apply(
      ...all.flatMap((spec, index) => (pairs[index] === undefined ? tlsObjects(group.name, spec) : [])),
      groupConfig(group.name, group.type, {
        'serve-config.json': serveConfigText(
          await Promise.all(
            all.map(async (spec) => ({ ...spec, clusterIp: (await serviceAddresses(cluster, spec.backend.name)).v4 })),
          ),
        ),
      }),
    )
    const proven = all.filter((_, index) => pairs[index]?.crt && pairs[index].key).map(serviceOf)
    if (this.#advertised !== proven.join()) await this.#advertise(proven)
    this.#advertised = proven.join()
    return proven
  }

  async #advertise(services: readonly string[]): Promise<void> {
    for (const { name } of this.replicas) {
      // With the auth key: a replica may not have logged in yet.
      const config = deviceConfig(name, this.#authKey, { AdvertiseServices: services })
      const patch = JSON.stringify({ stringData: { 'cap-106.hujson': config } })
      await this.bed.cluster.kubectl([
        'patch',
        'secret',
        `${name}-config`,
        `--namespace=${proxyNamespace}`,
        `--patch=${patch}`,
      ])
    }
  }

  /** The content of the TLS Secret of an Ingress; undefined without one. */
  async pair(name: string): Promise<Pair | undefined> {
    const secret = await this.bed.cluster.get<{ data?: Record<string, string> }>(
      'secret',
      fqdnOf({ name }),
      proxyNamespace,
    )
    const text = (key: string) => Buffer.from(secret?.data?.[key] ?? '', 'base64').toString()
    return secret && { crt: text('tls.crt'), key: text('tls.key') }
  }

  /** Runs the operator until an Ingress is advertised and every replica serves it, its first certificate included. */
  async serves(name: string): Promise<void> {
    await expect.poll(() => this.operate(), { interval: 500 }).toContain(serviceOf({ name }))
    const serving = async () => (await this.service(name)).hosts.map(({ node, state }) => [node, state])
    await expect.poll(serving, { interval: 200 }).toEqual(this.replicas.map((one) => [one.name, 'serving']))
  }

  async service(name: string): Promise<TailnetService> {
    return await this.bed.control.service(serviceOf({ name }))
  }

  /** One HTTPS request to an Ingress; returns who answered. */
  async get(client: Host, name: string): Promise<string> {
    return (await ask(client, { to: fqdnOf({ name }), protocol: 'https' })).host
  }

  /** Waits until all replicas are ready and up to date. */
  async ready(): Promise<void> {
    await rolledOut(this.bed.cluster, group.name)
  }

  /** Restarts all replicas, one after the other; returns how long it took, in ms. */
  async restart(): Promise<number> {
    return await restartRollout(this.bed.cluster, group.name)
  }
}
