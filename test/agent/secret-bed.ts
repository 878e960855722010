import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Bed } from '../lab/bed.ts'
import type { Environment } from './proxy.ts'

const namespace = 'ts'

/** What operators allow Pods to do with their own Secret; upstream's example for single Pods grants `create`, too. */
export const defaultVerbs = ['get', 'update', 'patch'] as const

/** A state Secret on a real API server, and a service account in a host that may use it. */
export class SecretBed {
  readonly bed: Bed
  readonly secret: string

  private constructor(bed: Bed, secret: string) {
    this.bed = bed
    this.secret = secret
  }

  /**
   * Makes the account for programs in `host`, with `verbs` on the Secret; and the Secret with `texts`, unless that is
   * null.
   */
  static async make(
    bed: Bed,
    secret: string,
    {
      verbs = defaultVerbs,
      texts = {},
      host = 'proxy',
      tellsEvents = false,
    }: {
      verbs?: readonly string[]
      texts?: Readonly<Record<string, string>> | null
      host?: string
      tellsEvents?: boolean
    } = {},
  ): Promise<SecretBed> {
    const made = new SecretBed(bed, secret)
    await bed.cluster.apply(
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: secret, namespace } },
    )
    await made.grant(verbs, tellsEvents)
    if (texts === null) await made.delete()
    else await made.put(texts)
    await bed.cluster.actAs(bed.host(host), namespace, secret)
    return made
  }

  /** Allows the account these verbs on its Secret, and to create Events; nothing else. */
  async grant(verbs: readonly string[], tellsEvents = false): Promise<void> {
    const metadata = { name: this.secret, namespace }
    const named = verbs.filter((verb) => verb !== 'create')
    const rule = { apiGroups: [''], resources: ['secrets'] }
    await this.bed.cluster.apply(
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'Role',
        metadata,
        rules: [
          ...(named.length === 0 ? [] : [{ ...rule, verbs: named, resourceNames: [this.secret] }]),
          // RBAC cannot check the name of an object that is being created.
          ...(verbs.includes('create') ? [{ ...rule, verbs: ['create'] }] : []),
          ...(tellsEvents ? [{ apiGroups: [''], resources: ['events'], verbs: ['create'] }] : []),
        ],
      },
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'RoleBinding',
        metadata,
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: this.secret },
        subjects: [{ kind: 'ServiceAccount', name: this.secret, namespace }],
      },
    )
  }

  async put(texts: Readonly<Record<string, string>>): Promise<void> {
    await this.bed.cluster.apply({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: this.secret, namespace },
      stringData: texts,
    })
  }

  /** Changes keys as another client; null removes one. */
  async edit(change: Readonly<Record<string, string | null>>): Promise<void> {
    const data = Object.fromEntries(
      Object.entries(change).map(([key, text]) => [key, text === null ? null : Buffer.from(text).toString('base64')]),
    )
    // kubectl opens its input by path, which fails for a socket, and an argument must not be this long.
    const directory = await mkdtemp(join(tmpdir(), 'culvert-patch-'))
    const file = join(directory, 'patch.json')
    try {
      await writeFile(file, JSON.stringify({ data }))
      const what = ['secret', this.secret, `--namespace=${namespace}`]
      await this.bed.cluster.kubectl(['patch', ...what, '--type=merge', `--patch-file=${file}`])
    } finally {
      await rm(directory, { recursive: true })
    }
  }

  async delete(): Promise<void> {
    await this.bed.cluster.kubectl(['delete', 'secret', this.secret, `--namespace=${namespace}`, '--ignore-not-found'])
  }

  async version(): Promise<string> {
    return String((await this.#get())?.metadata['resourceVersion'])
  }

  /** The Secret's keys with their texts; undefined without a Secret. */
  async texts(): Promise<Record<string, string> | undefined> {
    const secret = await this.#get()
    if (secret === undefined) return undefined
    const data = (secret['data'] ?? {}) as Record<string, string>
    return Object.fromEntries(
      Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]),
    )
  }

  /** The agent's environment in a Pod with this Secret. */
  env(): Environment {
    return {
      KUBERNETES_SERVICE_HOST: '10.98.0.1',
      KUBERNETES_SERVICE_PORT: '6443',
      KUBERNETES_SERVICE_PORT_HTTPS: '6443',
      TS_KUBERNETES_READ_API_SERVER_ADDRESS_FROM_ENV: 'true',
      TS_KUBE_SECRET: this.secret,
      POD_NAME: `${this.secret}-0`,
      POD_UID: `uid-of-${this.secret}`,
    }
  }

  async #get() {
    return await this.bed.cluster.get('secret', this.secret, namespace)
  }
}
