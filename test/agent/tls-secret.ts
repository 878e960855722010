import type { Bed } from '../lab/bed.ts'

const namespace = 'ts'

/** The Secret of a shared certificate on a real API server, as an operator manages it. */
export class TlsSecret {
  readonly #bed: Bed
  readonly domain: string

  constructor(bed: Bed, domain: string) {
    this.#bed = bed
    this.domain = domain
  }

  /** Creates or replaces it: empty, as its owner does, or with the given values. */
  async put(certificate = '', key = ''): Promise<void> {
    const group = { 'tailscale.com/managed': 'true', 'tailscale.com/proxy-group': 'group' }
    await this.#bed.cluster.apply({
      apiVersion: 'v1',
      kind: 'Secret',
      type: 'kubernetes.io/tls',
      metadata: {
        name: this.domain,
        namespace,
        labels: { ...group, 'tailscale.com/domain': this.domain, 'tailscale.com/secret-type': 'certs' },
      },
      stringData: { 'tls.crt': certificate, 'tls.key': key },
    })
  }

  /** Lets these accounts use it and write Events; with none, nobody may. */
  async grant(accounts: readonly string[]): Promise<void> {
    const metadata = { name: this.domain, namespace }
    const secrets = { apiGroups: [''], resources: ['secrets'], resourceNames: [this.domain] }
    await this.#bed.cluster.apply(
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'Role',
        metadata,
        rules: [
          { ...secrets, verbs: ['get', 'list', 'patch', 'update'] },
          { apiGroups: [''], resources: ['events'], verbs: ['get', 'create', 'patch'] },
        ],
      },
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'RoleBinding',
        metadata,
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: this.domain },
        subjects: accounts.map((name) => ({ kind: 'ServiceAccount', name, namespace })),
      },
    )
  }

  async delete(): Promise<void> {
    await this.#bed.cluster.kubectl(['delete', 'secret', this.domain, `--namespace=${namespace}`])
  }

  /** Its certificate, PEM; empty without one. */
  async certificate(): Promise<string> {
    const secret = await this.#bed.cluster.get('secret', this.domain, namespace)
    const data = (secret?.['data'] ?? {}) as Readonly<Record<string, string>>
    return Buffer.from(data['tls.crt'] ?? '', 'base64').toString()
  }
}
