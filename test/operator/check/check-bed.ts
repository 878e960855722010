import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { join } from 'node:path'
import { connect } from '../../../kube/controller/cluster.ts'
import { systemClock } from '../../../lib/clock.ts'
import { tailscaleApi } from '../../../operator/api/client.ts'
import type { Finding } from '../../../lib/finding.ts'
import { gather } from '../../../operator/check/gather.ts'
import { judge } from '../../../operator/check/judge.ts'
import { type Migration, migration } from '../../../operator/migrate/look.ts'
import { readOperatorSettings } from '../../../operator/settings/read.ts'
import { ApiBed, never } from '../../kube/controller/api-bed.ts'
import { type Bed, startBed } from '../../lab/bed.ts'
import { kubeconfig } from '../../lab/cluster/users.ts'
import type { ApiClient } from '../../lab/control-types.ts'
import { projectRoot } from '../../lab/paths.ts'
import { Way } from '../../lab/way.ts'
import { installOperator, namespace } from '../operator-process.ts'

type Texts = Readonly<Record<string, string>>

/** A tailnet and an API server, which are checked with the rights of the operator. */
export class CheckBed implements AsyncDisposable {
  readonly bed: Bed
  readonly #kube: ApiBed
  readonly #control: Way
  readonly #token: string

  private constructor(bed: Bed, kube: ApiBed, control: Way, token: string) {
    this.bed = bed
    this.#kube = kube
    this.#control = control
    this.#token = token
  }

  static async start(): Promise<CheckBed> {
    const bed = await startBed({ hosts: {}, cluster: { nodes: 0 } })
    const kube = await ApiBed.start(bed)
    const control = await Way.open(bed.cluster.argv.slice(0, -1), new URL(bed.controlUrl))
    await installOperator(bed)
    const at = new CheckBed(bed, kube, control, (await bed.cluster.token(namespace, 'operator')).trim())
    await bed.cluster.apply({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'one' } })
    await at.nodeIs({ operatingSystem: 'linux', architecture: 'amd64', kernelVersion: '6.12.9-cloud' })
    return at
  }

  /** What kubelet would report; no node runs. */
  async nodeIs(nodeInfo: Texts, address = '10.1.0.1'): Promise<void> {
    const status = { nodeInfo, addresses: [{ type: 'InternalIP', address }] }
    const patch = ['--subresource=status', '--type=merge', `--patch=${JSON.stringify({ status })}`]
    await this.bed.cluster.kubectl(['patch', 'node', 'one', ...patch])
  }

  /** Of an operator with these credentials. `more`: of its environment. */
  #environment({ id, secret }: ApiClient, more: Texts): Texts {
    return {
      OPERATOR_NAMESPACE: namespace,
      OPERATOR_LOGIN_SERVER: this.bed.controlUrl,
      CLIENT_ID_FILE: this.#kube.file('client_id', id),
      CLIENT_SECRET_FILE: this.#kube.file('client_secret', secret),
      ...more,
    }
  }

  /** Makes the checks in this process. `token`: for the API server. */
  async check(client: ApiClient, more: Texts = {}, token = this.#token): Promise<readonly Finding[]> {
    const env = this.#environment(client, more)
    const sources = {
      settings: async () => readOperatorSettings({ env, resolvConf: '', podNamespace: undefined, version: '1' }),
      connect: () => connect(this.#kube.kubeconfig('operator', { token })),
      tailnet: ({ process }: ReturnType<typeof readOperatorSettings>) =>
        tailscaleApi(`http://${this.#control.address}`, process.credentials),
    }
    return judge(await gather(sources, never))
  }

  /** Rehearses a takeover in this process, with the rights of an administrator. */
  async rehearse(): Promise<Migration> {
    const { api } = await connect(this.#kube.kubeconfig('admin', { token: this.#kube.token }), { isDryRun: true })
    const env = this.#environment(await this.bed.control.createApiClient({ tags: ['tag:k8s-operator'] }), {})
    const { settings, process } = readOperatorSettings({ env, resolvConf: '', podNamespace: undefined, version: '1' })
    const tailnet = tailscaleApi(`http://${this.#control.address}`, process.credentials)
    return migration({ api, tailnet, settings, clock: systemClock }, never)
  }

  /** Runs the operator's program with arguments. */
  async run(client: ApiClient, ...args: readonly string[]): Promise<{ exitCode: number; printed: string }> {
    const { url, ca } = this.bed.cluster
    const env = {
      ...this.#environment(client, {}),
      PATH: process.env['PATH'] ?? '',
      NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? '',
      KUBECONFIG: this.#kube.file('kubeconfig', kubeconfig(url.v4, ca, 'operator', this.#token)),
    }
    const own = [process.execPath, join(projectRoot, 'operator/main.ts'), ...args]
    const [command = '', ...rest] = [...this.bed.cluster.argv.slice(0, -1), ...own]
    const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'inherit'], env })
    const [printed, [exitCode]] = await Promise.all([text(child.stdout), once(child, 'exit') as Promise<[number]>])
    return { exitCode, printed }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#control[Symbol.asyncDispose]()
    await this.#kube[Symbol.asyncDispose]()
    await this.bed.down()
  }
}
