import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { localApi } from '../../localapi/client.ts'
import { type ApiServerBed, ports, server } from '../../test/e2e/apiserver-bed.ts'
import { builtPrograms } from '../../test/lab/ready.ts'
import { poll } from '../../test/lab/poll.ts'
import { processorTime } from '../egress/processor-time.ts'
import { type Memory, memoryOf } from '../process-memory.ts'

/** Through our proxy, past any proxy, and through Tailscale’s; all from the same device to the same node. */
export const ways = ['ours', 'direct', 'upstream'] as const
export type Way = (typeof ways)[number]

/** How a program in alice’s host reaches the API server. */
export type Address = {
  readonly host: string
  readonly port: number
  readonly servername: string
  readonly ca: string
  readonly token: string
}

const directPort = 8445
const service = 'kube'

/** An API server, with all ways to it. */
export class Ways {
  readonly its: ApiServerBed
  readonly address: Readonly<Record<Way, Address>>

  private constructor(its: ApiServerBed, address: Record<Way, Address>) {
    this.its = its
    this.address = address
  }

  /** `token`: of who may use the API server directly. */
  static async open(its: ApiServerBed, token: string): Promise<Ways> {
    const { bed } = its
    const alice = bed.host('alice')
    await Promise.all([
      writeFile(alice.path('/tmp/acme.pem'), await bed.acme.trust()),
      writeFile(alice.path('/tmp/cluster.pem'), bed.cluster.ca),
      forwardDirectly(its),
      startUpstream(its),
    ])
    const proxied = { ca: '/tmp/acme.pem', token: 'unused' }
    const name = `${service}.lab.ts.net`
    return new Ways(its, {
      ours: { host: server, port: ports.auth.port, servername: server, ...proxied },
      direct: {
        host: server,
        port: directPort,
        servername: 'kubernetes.default.svc',
        ca: '/tmp/cluster.pem',
        token,
      },
      upstream: { host: name, port: 443, servername: name, ...proxied },
    })
  }

  /** The processes in the way of requests: tailscaled and our proxy, or Tailscale’s, which has the tailnet in itself. */
  processes(way: Way): { readonly name: string; readonly pid: number }[] {
    const { bed } = this.its
    const { tailscaled } = bed.hostRecord('proxy')
    const started = (name: string) => bed.host('proxy').processes.find((one) => one.name === `proxy/${name}`)!
    const forwarding = { name: 'tailscaled', pid: tailscaled!.pid }
    if (way === 'upstream') return [started(service)]
    return way === 'ours' ? [started('auth'), forwarding] : [forwarding]
  }

  async memory(way: Way): Promise<Memory> {
    const all = await Promise.all(this.processes(way).map(memoryOf))
    const sum = (kind: keyof Memory): number => all.reduce((total, one) => total + one[kind], 0)
    return { resident: sum('resident'), anonymous: sum('anonymous') }
  }

  /** Milliseconds of CPU time so far. */
  processor(way: Way): number {
    return this.processes(way).reduce((total, { pid }) => total + processorTime(pid), 0)
  }
}

/** Has tailscaled pass another port of the node on to the API server itself. */
async function forwardDirectly({ bed }: ApiServerBed): Promise<void> {
  const { signal } = new AbortController()
  const api = localApi(bed.host('proxy').path('/run/tailscale/tailscaled.sock'))
  const config = JSON.parse(await api.get('serve-config', signal)) as { TCP: object }
  const { host } = new URL(bed.cluster.url.v4)
  const TCP = { ...config.TCP, [directPort]: { TCPForward: host } }
  await api.replace('serve-config', { ...config, TCP }, '', signal)
}

/** Runs Tailscale’s proxy beside ours; a Tailscale Service leads to it, which is the only way that it is served. */
async function startUpstream({ bed }: ApiServerBed): Promise<void> {
  const proxy = bed.host('proxy')
  const { 'k8s-proxy': directory } = await builtPrograms('compared')
  const config = {
    version: 'v1alpha1',
    state: '/tmp/theirs.state',
    logLevel: 'info',
    authKey: await bed.authKey({ tags: ['tag:k8s'] }),
    serverURL: bed.controlUrl,
    hostname: 'theirs',
    advertiseServices: [`svc:${service}`],
    apiServerProxy: { enabled: true, mode: 'auth', serviceName: `svc:${service}`, issueCerts: true },
  }
  await bed.control.putService(`svc:${service}`, { ports: ['tcp:443'], autoApprove: true })
  await writeFile(proxy.path('/tmp/theirs.json'), JSON.stringify(config))
  const url = new URL(bed.cluster.url.v4)
  await proxy.spawn([join(directory, 'k8s-proxy')], {
    name: service,
    env: {
      TS_K8S_PROXY_CONFIG: '/tmp/theirs.json',
      KUBERNETES_SERVICE_HOST: url.hostname,
      KUBERNETES_SERVICE_PORT: url.port,
      XDG_CONFIG_HOME: '/tmp/theirs',
    },
  })
  await poll(
    'that Tailscale’s proxy answers',
    async () => {
      const argv = [
        'curl',
        '--silent',
        '--fail',
        '--max-time',
        '5',
        '--cacert',
        '/tmp/acme.pem',
        `https://${service}.lab.ts.net/readyz`,
      ]
      const { exitCode } = await bed.host('alice').exec(argv, { check: false, timeout: 60_000 })
      return exitCode === 0 || undefined
    },
    200,
  )
}
