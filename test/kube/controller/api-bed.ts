import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Api } from '../../../kube/controller/api.ts'
import { connect } from '../../../kube/controller/cluster.ts'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { byTurns } from '../../../kube/controller/turns.ts'
import { limited } from '../../../lib/limit.ts'
import type { Bed } from '../../lab/bed.ts'
import { Way } from '../../lab/way.ts'
import { FaultyProxy } from './faulty-proxy.ts'
import { configMaps } from './resources.ts'

type User = Readonly<Record<string, unknown>>

/** Ways for this process to the API server of a bed: one through a proxy that fails as told, and one that is direct. */
export class ApiBed implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'culvert-'))
  readonly #bed: Bed
  readonly #ends: (() => unknown)[] = []
  readonly token: string
  proxy!: FaultyProxy
  /** Through the proxy. */
  api!: Api
  /** Beside the proxy. */
  direct!: Api
  /** Of the direct way, which is TLS from end to end. */
  directUrl!: string

  private constructor(bed: Bed) {
    this.#bed = bed
    const { users } = JSON.parse(readFileSync(bed.cluster.kubeconfig, 'utf8')) as {
      users: [{ user: { token: string } }]
    }
    this.token = users[0].user.token
  }

  static async start(bed: Bed): Promise<ApiBed> {
    const made = new ApiBed(bed)
    const way = await Way.open(bed.cluster.argv.slice(0, -1), new URL(bed.cluster.url.v4))
    made.#ends.push(() => way[Symbol.asyncDispose]())
    made.directUrl = `https://${way.address}`
    made.proxy = await FaultyProxy.start(way.socketPath, bed.cluster.ca)
    made.#ends.push(() => made.proxy[Symbol.asyncDispose]())
    made.api = (await connect(made.kubeconfig('proxied', { token: made.token }, made.proxy.url))).api
    made.direct = (await connect(made.kubeconfig('direct', { token: made.token }))).api
    return made
  }

  /** Writes a kubeconfig. */
  kubeconfig(name: string, user: User, server = this.directUrl, more: User = {}): { readonly kubeconfig: string } {
    const ca = Buffer.from(this.#bed.cluster.ca).toString('base64')
    const trust = server.startsWith('https')
      ? { 'certificate-authority-data': ca, 'tls-server-name': 'kubernetes.default.svc' }
      : { 'insecure-skip-tls-verify': true }
    const kubeconfig = join(this.#folder, `${name}.kubeconfig`)
    const content = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'lab', cluster: { server, ...trust, ...more } }],
      users: [{ name: 'user', user }],
      contexts: [{ name: 'lab', context: { cluster: 'lab', user: 'user', namespace: 'ns' } }],
      'current-context': 'lab',
    }
    writeFileSync(kubeconfig, JSON.stringify(content))
    return { kubeconfig }
  }

  /** A file beside the kubeconfigs. */
  file(name: string, content: string): string {
    const path = join(this.#folder, name)
    writeFileSync(path, content, { mode: 0o700 })
    return path
  }

  /** Sets ConfigMaps by another field manager, directly. */
  async put(...objects: readonly KubeObject[]): Promise<void> {
    const some = limited(20)
    await Promise.all(objects.map((object) => some(() => this.change(object))))
  }

  readonly #turns = byTurns()
  async change({
    metadata: { name, namespace, labels, annotations },
    data,
    apiVersion,
    kind,
  }: KubeObject): Promise<KubeObject> {
    const body = { apiVersion, kind, metadata: { name, namespace, labels, annotations }, data }
    return this.#turns(`${namespace}/${name}`, () =>
      this.direct.patch(configMaps, { name, namespace }, { type: 'apply', body, manager: 'user', force: true }, never),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const end of this.#ends.toReversed()) await end()
    rmSync(this.#folder, { recursive: true })
  }
}

export const never = new AbortController().signal
