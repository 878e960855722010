import { type Bed, startBed } from '../../test/lab/bed.ts'
import { authorityObjects, siteObjects } from '../../test/lab/cluster/ingress.ts'
import type { KubeObject } from '../../test/lab/cluster/kubectl.ts'
import { deviceConfig, proxyBase, proxyNamespace, workload } from '../../test/lab/cluster/proxy.ts'
import { domain } from '../../test/lab/control-server.ts'
import type { Images } from '../image.ts'
import { type Side, sides } from '../pair.ts'
import { deleteProxy, serviceAddress } from '../pod.ts'
import { completeAt, scheduledAt, untilReachable } from '../pod-times.ts'
import { type Client, clients, keepToIPv4 } from './site.ts'
import { Watch } from './watch.ts'

export type PodSiteBed = Bed<Client>

/** Starts the bed, with a certificate authority and a cluster. */
export async function startPodSiteBed(): Promise<PodSiteBed> {
  const bed = await startBed({ hosts: clients, acme: true, cluster: { nodes: 1 } })
  await keepToIPv4(bed)
  return bed
}

const backend = 'web'
/** A pattern of its answer. */
const page = `\\{"host":"${backend}",.*`

/** Imports the images, and creates a backend behind a Service. */
export async function layPodSites({ acme, cluster }: PodSiteBed, images: Images): Promise<void> {
  for (const side of sides) await cluster.importImage(images[side].archive)
  await cluster.apply(...siteObjects(backend), ...proxyBase(), ...authorityObjects(await acme.trust()).objects)
  await cluster.wait(`pod/${backend}`, 'Ready')
}

let made = 0

/** A side's image running as an operator's proxy Pod of an Ingress, with the backend's Service behind it. */
export class PodSite implements AsyncDisposable {
  /** For the first Pod: milliseconds from its scheduling until a client had the backend's page. */
  readonly answered: number
  readonly #bed: PodSiteBed
  readonly #name: string

  private constructor(bed: PodSiteBed, name: string, answered: number) {
    this.#bed = bed
    this.#name = name
    this.answered = answered
  }

  /** Creates it, as a new node with a Secret of its own. */
  static async start(bed: PodSiteBed, images: Images, side: Side): Promise<PodSite> {
    made += 1
    const name = `site-${side}-${made}`
    const objects = await siteProxy(bed, name, images[side].reference)
    const answered = await untilAnswered(bed, `${name}-0`, 'client', () => bed.cluster.apply(...objects))
    return new PodSite(bed, name, answered)
  }

  /**
   * Deletes the Pod, which is recreated as the same node; returns the new one's time. Another client sends the
   * requests: the first one would continue a session of WireGuard that this node has lost.
   */
  async restart(): Promise<number> {
    await completeAt(this.#bed, this.#pod)
    return await untilAnswered(this.#bed, this.#pod, 'other', () => deleteProxy(this.#bed, `pod/${this.#pod}`))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await deleteProxy(this.#bed, `statefulset/${this.#name}`, `secret/${this.#pod}`)
    await this.#bed.control.removeNode(this.#pod)
  }

  /** The name of the Pod, of its Secret, and of its node in the tailnet. */
  get #pod(): string {
    return `${this.#name}-0`
  }
}

/**
 * The milliseconds for a Pod that `make` creates; the client sends requests from the time when the node can be reached.
 */
async function untilAnswered(bed: PodSiteBed, pod: string, client: Client, make: () => Promise<void>): Promise<number> {
  await using watch = await Watch.start(bed, { name: `${pod}.${domain}`, path: '/' }, client)
  await make()
  await untilReachable(bed, pod)
  watch.begin()
  const answered = await watch.seen(page)
  return answered - (await scheduledAt(bed, pod))
}

/** As an operator makes it, in userspace mode: one Secret has both configs and the state. */
async function siteProxy(bed: PodSiteBed, name: string, image: string): Promise<KubeObject[]> {
  const secret = `${name}-0`
  const authority = authorityObjects(await bed.acme.trust())
  const serveConfig = {
    TCP: { 443: { HTTPS: true } },
    Web: {
      '${TS_CERT_DOMAIN}:443': { Handlers: { '/': { Proxy: `http://${await serviceAddress(bed, backend)}/` } } },
    },
  }
  const stringData = {
    'cap-107.hujson': deviceConfig(secret, await bed.authKey()),
    'serve-config': JSON.stringify(serveConfig),
  }
  return [
    { apiVersion: 'v1', kind: 'Secret', metadata: { name: secret, namespace: proxyNamespace }, stringData },
    workload({
      name,
      image,
      app: 'k8s-operator-ingress-resource',
      account: 'proxies',
      configs: [secret],
      podIPs: false,
      env: {
        TS_USERSPACE: 'true',
        TS_SERVE_CONFIG: '/etc/tailscaled/serve-config',
        TS_NO_LOGS_NO_SUPPORT: 'true',
        ...authority.env,
      },
      mounts: [
        { volume: { name: 'serve-config', secret: { secretName: secret } }, mountPath: '/etc/tailscaled' },
        ...authority.mounts,
      ],
      container: { securityContext: {} },
      pod: { initContainers: [] },
    }),
  ]
}
