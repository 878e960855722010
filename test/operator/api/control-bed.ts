import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TailscaleApi } from '../../../operator/api/api.ts'
import { tailscaleApi } from '../../../operator/api/client.ts'
import type { CredentialFiles } from '../../../operator/api/credentials.ts'
import { type Bed, startBed } from '../../lab/bed.ts'
import type { ClusterSpec } from '../../lab/cluster/spec.ts'
import type { ControlClient } from '../../lab/control-client.ts'
import type { ApiClient } from '../../lab/control-types.ts'
import { enterNetwork } from '../../lab/namespaces/enter.ts'
import { Way } from '../../lab/way.ts'

const waiting = { network: 'wan', tailscaled: { up: false } } as const
const hosts = { pod: { network: 'cluster' }, one: waiting, two: waiting } as const

export type NodeName = 'one' | 'two'

export const never = new AbortController().signal
export const tags = ['tag:k8s']
export const newKey = { tags, description: 'svc prod a', expirySeconds: 3600 }

/** A bed whose control server this process calls as a Pod would, and two nodes that have not joined. */
export class ControlBed implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'culvert-'))
  readonly #way: Way
  readonly bed: Bed<keyof typeof hosts>
  readonly client: ApiClient

  private constructor(bed: Bed<keyof typeof hosts>, way: Way, client: ApiClient) {
    this.bed = bed
    this.#way = way
    this.client = client
  }

  static async start(cluster?: ClusterSpec): Promise<ControlBed> {
    const bed = await startBed({ hosts, ...(cluster && { cluster }) })
    const way = await Way.open(enterNetwork(bed.host('pod').pid), new URL(bed.controlUrl))
    return new ControlBed(bed, way, await bed.control.createApiClient({ tags: ['tag:k8s-operator'] }))
  }

  get control(): ControlClient {
    return this.bed.control
  }

  /** Writes a file, and gives its path. */
  file(name: string, content: string): string {
    const path = join(this.#folder, name)
    writeFileSync(path, content)
    return path
  }

  /** The API with the credentials of this client. */
  apiOf({ id, secret }: ApiClient = this.client): TailscaleApi {
    return this.apiBy({
      type: 'oauth-client',
      idFile: this.file('client_id', id),
      secretFile: this.file('client_secret', secret),
    })
  }

  apiBy(files: CredentialFiles): TailscaleApi {
    return tailscaleApi(`http://${this.#way.address}`, files)
  }

  /** What `tailscale up` says with this key. */
  async join(name: NodeName, key: string): Promise<'joined' | (string & {})> {
    const argv = ['tailscale', 'up', '--reset', `--login-server=${this.bed.controlUrl}`, `--auth-key=${key}`]
    const { exitCode, stderr } = await this.bed.host(name).exec([...argv, `--hostname=${name}`], { check: false })
    return exitCode === 0 ? 'joined' : stderr
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#way[Symbol.asyncDispose]()
    await this.bed.down()
    rmSync(this.#folder, { recursive: true })
  }
}
