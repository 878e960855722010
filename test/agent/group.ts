import type { Bed } from '../lab/bed.ts'
import type { Host } from '../lab/hosts/host.ts'
import { unpackText } from '../../wire/packed.ts'
import { writeVolume } from '../lib/kubelet-volume.ts'
import type { Environment } from './proxy.ts'
import { SecretBed } from './secret-bed.ts'

const directory = '/etc/proxies'

/** A target in the tailnet, a replica, a client, and an API server for its Secret. */
export const groupBed = {
  hosts: {
    db: { network: 'wan', tailscaled: true },
    proxy: { network: 'cluster' },
    app: { network: 'cluster' },
  },
  cluster: { nodes: 0 },
} as const

/** An entry of `egress-services` as an operator writes it. */
export type EgressEntry = {
  readonly tailnetTarget: { readonly ip?: string; readonly fqdn?: string }
  readonly ports: readonly {
    readonly protocol: 'TCP' | 'UDP'
    readonly matchPort: number
    readonly targetPort: number
  }[]
}

/** A service that maps a port of the Pod to a port of the target, for both protocols. */
export const egressEntry = (
  tailnetTarget: EgressEntry['tailnetTarget'],
  matchPort: number,
  targetPort = 7000,
): EgressEntry => ({
  tailnetTarget,
  ports: (['TCP', 'UDP'] as const).map((protocol) => ({ protocol, matchPort, targetPort })),
})

/** The address of the Tailscale Service that `groupFiles` maps to the bed's host `app`. */
export const vip = '100.99.1.1'

/** The mounted files of a group in both directions: `count` services into the tailnet, and one out of it. */
export const groupFiles = (count: number) => ({
  'egress-services': JSON.stringify(
    Object.fromEntries(
      Array.from({ length: count }, (_, index) => [
        `s${index}`,
        egressEntry({ fqdn: 'db.lab.ts.net' }, 10_000 + index),
      ]),
    ),
  ),
  'ingress-config.json': JSON.stringify({
    'svc:web': { IPv4Mapping: { TailscaleServiceIP: vip, ClusterIP: '10.98.0.11' } },
  }),
})

/** What a replica of a ProxyGroup has in its Pod: a state Secret on a real API server, and mounted files. */
export class Group {
  readonly secret: SecretBed
  readonly #host: Host

  private constructor(secret: SecretBed, host: Host) {
    this.secret = secret
    this.#host = host
  }

  /** `name` is the Secret's. The files are in `host`; there are none at first. */
  static async make(bed: Bed, name: string, host = 'proxy'): Promise<Group> {
    await bed.host(host).exec(['rm', '-rf', directory])
    return new Group(await SecretBed.make(bed, name, { host }), bed.host(host))
  }

  /** Replaces the mounted files with these, as kubelet does. */
  async write(files: Readonly<Record<string, string>>): Promise<void> {
    await writeVolume(this.#host.path(directory), files)
  }

  /** Replaces the mounted files with `egress-services`. */
  async egress(entries: Readonly<Record<string, unknown>>): Promise<void> {
    await this.write({ 'egress-services': JSON.stringify(entries) })
  }

  /** The agent's environment; tailscaled's state is in the Secret, so that each run is the same node. */
  env(kind: 'egress' | 'ingress'): Environment {
    const { v4, v6 } = this.#host.address
    return {
      ...this.secret.env(),
      ...(v4 === undefined && { KUBERNETES_SERVICE_HOST: 'fd98::1' }),
      ...(kind === 'egress'
        ? { TS_EGRESS_PROXIES_CONFIG_PATH: directory }
        : { TS_INGRESS_PROXIES_CONFIG_PATH: `${directory}/ingress-config.json` }),
      POD_IPS: [v4, v6].filter((address) => address !== undefined).join(','),
      POD_IP: String(v4 ?? v6),
    }
  }

  /** The status in the Secret under this key, parsed. */
  async status<T>(key: 'egress-services' | 'ingress-config.json'): Promise<T | undefined> {
    const text = (await this.secret.texts())?.[key]
    return text === undefined ? undefined : (JSON.parse(unpackText(text) ?? '') as T)
  }
}
