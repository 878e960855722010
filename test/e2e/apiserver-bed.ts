import { readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { projectRoot } from '../lab/paths.ts'
import { localApi } from '../../localapi/client.ts'
import { type Bed, type Host, type HostProcess, startBed } from '../lab/bed.ts'
import { toolsImage } from '../lab/cluster/images.ts'
import { binding, group, role, serviceAccount } from './rights.ts'

/** The bundles under test; the test command builds them. */
const dist = join(dirname(import.meta.dirname), '..', 'dist')
const [bundle, recorderBundle] = [join(dist, 'apiserver.js'), join(dist, 'recorder.js')]

/** Who may use alice's SSH server; tailscaled reads it at each connection. */
export const sshPolicyFile = '/tmp/ssh-policy.json'
const ssh = { env: { TS_DEBUG_SSH_POLICY_FILE: sshPolicyFile }, up: ['--ssh'] }

// As in a Pod without privileges, where tailscaled hands on to 127.0.0.1 what it does not serve itself.
const userspace = { args: ['--tun=userspace-networking'] }

const hosts = {
  alice: { network: 'wan', tailscaled: ssh },
  robot: { network: 'wan', tailscaled: true },
  proxy: { network: 'cluster', tailscaled: userspace },
} as const

/** The names of the proxy's node, and of the recorder's. */
export const [server, recorderName] = ['proxy.lab.ts.net', 'robot.lab.ts.net']
/** Ports of the node in each mode, and where the proxy of that mode listens. */
const modes = { auth: { port: 443, local: 8443 }, noauth: { port: 8444, local: 8444 } } as const
export type Mode = keyof typeof modes
export const ports = modes

const account = 'apiserver-proxy'
/** What the proxies take for their Pod. */
const pod = { POD_NAME: 'proxy-0', POD_UID: '5ad9b4ba-5b4c-4b0e-8d0c-9a3f5d2c7e11' }

const objects = [
  { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: account, namespace: 'default' } },
  { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'robot', namespace: 'default' } },
  role('ClusterRole', account, [{ apiGroups: [''], resources: ['users', 'groups'], verbs: ['impersonate'] }]),
  binding(account, account, serviceAccount(account)),
  role('Role', 'events', [{ apiGroups: [''], resources: ['events'], verbs: ['create'] }]),
  binding('events', 'events', serviceAccount(account), 'Role'),
  binding('devs', 'cluster-admin', group('devs')),
  binding('ci', 'view', group('tag:ci')),
  binding('robot', 'view', serviceAccount('robot')),
  {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'app', namespace: 'default' },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [{ name: 'main', image: toolsImage, command: ['echo-server', 'app', '7000'] }],
    },
  },
]

/** Alice is in the group `devs`; what has the tag `tag:ci` is in none. */
export const devs = [
  { src: ['*'], dst: ['*'], app: { 'tailscale.com/cap/kubernetes': [{ impersonate: { groups: ['devs'] } }] } },
] as const

/** A cluster with a proxy of each mode on one node of a tailnet, of which two devices use it. */
export class ApiServerBed implements AsyncDisposable {
  readonly bed: Bed<keyof typeof hosts>

  private constructor(bed: Bed<keyof typeof hosts>) {
    this.bed = bed
  }

  static async start(): Promise<ApiServerBed> {
    const bed = await startBed({ hosts, acme: true, cluster: { nodes: 1 } })
    const its = new ApiServerBed(bed)
    try {
      await its.#prepare()
      return its
    } catch (error) {
      await bed.down()
      throw error
    }
  }

  async #prepare(): Promise<void> {
    const { bed } = this
    const { cluster } = bed
    const proxy = bed.host('proxy')
    await Promise.all([
      cluster.apply(...objects),
      bed.control.patchNode('robot', { tags: ['tag:ci'] }),
      this.#grantDevs(),
      this.#serve(proxy, Object.values(modes)),
    ])
    await Promise.all([
      cluster.actAs(proxy, 'default', account),
      cluster.wait('pod/app', 'Ready'),
      ...(['alice', 'robot'] as const).flatMap((name) =>
        (['auth', 'noauth'] as const).map((mode) => this.#writeConfig(bed.host(name), mode)),
      ),
    ])
    await Promise.all((['auth', 'noauth'] as const).map((mode) => this.#run(proxy, mode)))
  }

  /** Has alice's address in the group `devs`. */
  async #grantDevs(): Promise<void> {
    await this.grant(devs)
  }

  /** Replaces the policy; grants are for alice. */
  async grant(grants: readonly { readonly app: object }[]): Promise<void> {
    const { addresses } = await this.bed.control.node('alice')
    await this.bed.control.putGrants(grants.map(({ app }) => ({ src: addresses, dst: ['*'], app: app as never })))
  }

  /** Has tailscaled pass ports on to programs on its host. */
  async #serve(host: Host, served: readonly { readonly port: number; readonly local: number }[]): Promise<void> {
    const api = localApi(host.path('/run/tailscale/tailscaled.sock'))
    const TCP = Object.fromEntries(
      served.map(({ port, local }) => [String(port), { TCPForward: `127.0.0.2:${local}`, ProxyProtocol: 2 }]),
    )
    await api.replace('serve-config', { TCP }, '', new AbortController().signal)
  }

  /** Starts a recorder with its web page on robot's node by the commands of its page; it keeps what it gets in this directory. */
  async startRecorder(directory: string): Promise<HostProcess> {
    const robot = this.bed.host('robot')
    const page = await readFile(join(projectRoot, 'docs/recorder.md'), 'utf8')
    const [, keep = ''] = /^(node dist.*?) +#.*\n```$/m.exec(page) ?? []
    for (const [, command = ''] of page.matchAll(/^ *(tailscale serve .*)$/gm)) await robot.exec(command.split(' '))
    const [, , ...flags] = keep.replace('/var/lib/recordings', directory).split(' ')
    const started = await robot.spawn([process.execPath, recorderBundle, ...flags, '--ui'], { name: 'recorder' })
    await started.line(/listens on/)
    return started
  }

  async #run(proxy: Host, mode: Mode): Promise<void> {
    const url = new URL(this.bed.cluster.url.v4)
    const started = await proxy.spawn([process.execPath, bundle], {
      name: mode,
      env: {
        APISERVER_PROXY: mode,
        TS_SOCKET: '/run/tailscale/tailscaled.sock',
        CULVERT_APISERVER_LISTEN: `127.0.0.2:${modes[mode].local}`,
        CULVERT_APISERVER_PORT: '0',
        // The benchmark has 10,000 watches of one device.
        CULVERT_APISERVER_PEER_LIMIT: '20000',
        KUBERNETES_SERVICE_HOST: url.hostname,
        KUBERNETES_SERVICE_PORT_HTTPS: url.port,
        ...pod,
      },
    })
    await started.line(/shows the certificate of/)
  }

  async #writeConfig(host: Host, mode: Mode): Promise<void> {
    const trust = Buffer.from(await this.bed.acme.trust()).toString('base64')
    const address = `https://${server}:${modes[mode].port}`
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: mode, cluster: { server: address, 'certificate-authority-data': trust } }],
      // Without any credentials kubectl asks for some.
      users: [{ name: 'nobody', user: { token: 'unused' } }],
      contexts: [{ name: mode, context: { cluster: mode, user: 'nobody' } }],
      'current-context': mode,
    }
    await writeFile(host.path(`/tmp/${mode}.json`), JSON.stringify(config))
  }

  /** The environment of kubectl in a host. */
  env(mode: Mode = 'auth'): Readonly<Record<string, string>> {
    return { KUBECONFIG: `/tmp/${mode}.json`, HOME: '/tmp' }
  }

  /** The Events of the proxies' Pod, as `reason: message`. */
  async events(): Promise<readonly string[]> {
    type Event = Readonly<Record<'reason' | 'message', string>> & { readonly involvedObject: { readonly uid?: string } }
    const all = await this.bed.cluster.list<Event>('events', 'default')
    return all.flatMap(({ involvedObject, reason, message }) =>
      involvedObject.uid === pod.POD_UID ? [`${reason}: ${message}`] : [],
    )
  }

  /** Runs kubectl in a host of the tailnet; gives what it prints, and fails as it does. */
  async kubectl(
    name: 'alice' | 'robot',
    argv: readonly string[],
    { mode, input, env }: { readonly mode?: Mode; readonly input?: string; readonly env?: Record<string, string> } = {},
  ): Promise<string> {
    const options = { env: { ...this.env(mode), ...env }, ...(input !== undefined && { input }) }
    return (await this.bed.host(name).exec(['kubectl', ...argv], options)).stdout
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.bed.down()
  }
}
