import { mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Environment } from '../../agent/proxy.ts'
import type { Bed, HostProcess } from '../../lab/bed.ts'
import { allPids, parentOf, signal } from '../../lab/namespaces/procs.ts'

/** Upstream's agent in the host `proxy` of a bed. */
export class Upstream implements AsyncDisposable {
  readonly process: HostProcess

  private constructor(process: HostProcess) {
    this.process = process
  }

  /**
   * Starts it and waits until start-up is complete. Repeats that as kubelet would, because it exits when a name is not
   * yet among its peers.
   */
  static async start(bed: Bed, env: Environment, attempts = 5): Promise<Upstream> {
    const process = await bed.host('proxy').spawn(['containerboot'], {
      name: 'upstream',
      env: {
        TS_USERSPACE: 'false',
        TS_HOSTNAME: 'proxy',
        TS_KUBE_SECRET: '',
        TS_EXTRA_ARGS: `--login-server=${bed.controlUrl}`,
        TS_AUTHKEY: await bed.authKey(),
        TS_DEBUG_FIREWALL_MODE: 'nftables',
        ...env,
      },
    })
    try {
      await process.line(/Startup complete/)
      return new Upstream(process)
    } catch (error) {
      if (attempts <= 1) throw error
      return await Upstream.start(bed, env, attempts - 1)
    }
  }

  /** Kills it and its tailscaled, as the end of a container would; what they made in the kernel stays. */
  async kill(): Promise<void> {
    const children = allPids().filter((pid) => parentOf(pid) === this.process.pid)
    this.process.kill('SIGKILL')
    for (const pid of children) signal(pid, 'SIGKILL')
    await this.process.exited
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }
}

/** Writes a file into the host `proxy`, for upstream's agent to read. */
export async function writeToProxy(bed: Bed, path: string, content: unknown): Promise<void> {
  const file = bed.host('proxy').path(path)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, JSON.stringify(content))
}

export type Peer = { readonly name: string; readonly v4: string; readonly v6: string }

/** A node of the tailnet by its name. */
export async function peer(bed: Bed, node: string): Promise<Peer> {
  const { fqdn, addresses } = await bed.control.node(node)
  const [v4 = '', v6 = ''] = ['.', ':'].map((sign) => addresses.find((address) => address.includes(sign)))
  return { name: fqdn, v4, v6 }
}

/**
 * Three services of two ports each, as an operator mounts them: by name, and by an address of each family. One has a
 * name that nft's syntax does not accept.
 */
export function egressServices(one: Peer, other: Peer): object {
  const targets = {
    'default-one': { ip: '', fqdn: one.name },
    'default-two': { ip: other.v4, fqdn: '' },
    '3rd-party': { ip: other.v6, fqdn: '' },
  }
  return Object.fromEntries(
    Object.entries(targets).map(([name, tailnetTarget], index) => [
      name,
      {
        healthCheckEndpoint: '',
        tailnetTarget,
        ports: [
          { protocol: 'TCP', matchPort: 10_000 + index * 10, targetPort: 80 },
          { protocol: 'UDP', matchPort: 10_001 + index * 10, targetPort: 53 },
        ],
      },
    ]),
  )
}

export const ingressServices = {
  'svc:app': {
    IPv4Mapping: { TailscaleServiceIP: '100.99.1.1', ClusterIP: '10.96.0.20' },
    IPv6Mapping: { TailscaleServiceIP: 'fd7a:115c:a1e0::9901', ClusterIP: 'fd96::20' },
  },
  'svc:web': { IPv4Mapping: { TailscaleServiceIP: '100.99.1.2', ClusterIP: '10.96.0.21' } },
}
