import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Bed, Host, HostProcess } from '../lab/bed.ts'
import { apiPort, controlPlaneAddress } from '../lab/cluster/addresses.ts'
import { builtPrograms } from '../lab/ready.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import { custom } from './operate.ts'
import { namespace } from './operator-process.ts'

/** The oldest and the newest release that ours takes over from. */
export const upstreamReleases = ['1.102', '1.104'] as const
export type UpstreamRelease = (typeof upstreamReleases)[number]

type Texts = Readonly<Record<string, string>>

/** A ProxyClass for its proxies: it has images pulled at each start, and a bed has no registry. */
export function unpulled(name: string): KubeObject {
  const container = { imagePullPolicy: 'IfNotPresent' }
  return custom('ProxyClass', name, {
    statefulSet: { pod: { tailscaleContainer: container, tailscaleInitContainer: container } },
  })
}

/** The name of its release, as in Tailscale's documentation. */
const releaseName = 'tailscale-operator'

/**
 * Tailscale's operator: installed by its chart, and run in a host of the bed with the rights that the chart gives it,
 * since its image is not in the bed's cluster.
 */
export class UpstreamOperator {
  readonly #bed: Bed
  readonly #host: Host
  readonly #folder: string
  readonly #proxies: Texts
  #process: HostProcess | undefined

  private constructor(bed: Bed, host: Host, folder: string, proxies: Texts) {
    this.#bed = bed
    this.#host = host
    this.#folder = folder
    this.#proxies = proxies
  }

  /** Installs it. `proxies`: of its environment, what is for them; `values`: further ones of its chart. */
  static async install(
    bed: Bed,
    host: Host,
    release: UpstreamRelease,
    proxies: Texts = {},
    values: object = {},
  ): Promise<UpstreamOperator> {
    const folder = (await builtPrograms('releases'))[`k8s-operator-${release}`]
    await bed.cluster.kubectl(['apply', '--server-side', `--filename=${join(folder, 'crds')}`])
    const made = new UpstreamOperator(bed, host, folder, proxies)
    const { id, secret } = await bed.control.createApiClient({ tags: ['tag:k8s-operator'] })
    await Promise.all([
      writeFile(host.path('/tmp/client_id'), id),
      writeFile(host.path('/tmp/client_secret'), secret),
      made.#helm('install', { oauth: { clientId: id, clientSecret: secret }, loginServer: bed.controlUrl, ...values }),
    ])
    return made
  }

  async #helm(verb: 'install' | 'upgrade', values: object, more: readonly string[] = []): Promise<void> {
    const how = [`--namespace=${namespace}`, '--create-namespace', '--values=-', ...more]
    const input = JSON.stringify(values)
    await this.#bed.cluster.helm([verb, releaseName, join(this.#folder, 'chart'), ...how], { input })
  }

  /** Makes its Deployment and its rights anew, as is done to go back to it. */
  async reinstall(): Promise<void> {
    await this.#helm('upgrade', {}, ['--reset-then-reuse-values', '--force-conflicts'])
  }

  /** Starts it, as its Deployment would. */
  async start(): Promise<void> {
    await this.#bed.cluster.actAs(this.#host, namespace, 'operator')
    const server = { KUBERNETES_SERVICE_HOST: controlPlaneAddress.v4, KUBERNETES_SERVICE_PORT: String(apiPort) }
    const env = {
      ...server,
      KUBERNETES_SERVICE_PORT_HTTPS: String(apiPort),
      TS_KUBERNETES_READ_API_SERVER_ADDRESS_FROM_ENV: 'true',
      OPERATOR_NAMESPACE: namespace,
      OPERATOR_SECRET: 'operator',
      OPERATOR_LOGIN_SERVER: this.#bed.controlUrl,
      OPERATOR_SERVICE_ACCOUNT_NAME: 'operator',
      CLIENT_ID_FILE: '/tmp/client_id',
      CLIENT_SECRET_FILE: '/tmp/client_secret',
      POD_NAME: 'operator',
      ...this.#proxies,
    }
    this.#process = await this.#host.spawn([join(this.#folder, 'operator')], { name: 'upstream-operator', env })
    await this.#process.line(/Startup complete, operator running/)
  }

  /** Ends it, as when its Deployment is scaled to 0. */
  async stop(): Promise<void> {
    await this.#bed.cluster.kubectl(['scale', 'deployment/operator', `--namespace=${namespace}`, '--replicas=0'])
    await this.#process?.stop()
  }

  /** Of its process, once it was started. */
  get pid(): number {
    return this.#process!.pid
  }

  get log(): readonly string[] {
    return this.#process?.log ?? []
  }
}
