import { expect, onTestFailed } from 'vitest'
import type { KubeObject as Stored } from '../../../kube/controller/object.ts'
import { textIn } from '../../../operator/proxy/state.ts'
import { rolledOut } from '../../e2e/rollout.ts'
import { ask, type Bed, type Report, startBed, startTraffic } from '../../lab/bed.ts'
import { siteObjects } from '../../lab/cluster/ingress.ts'
import type { KubeObject } from '../../lab/cluster/kubectl.ts'
import { backendObjects } from '../../lab/cluster/proxy.ts'
import type { ClusterSpec } from '../../lab/cluster/spec.ts'
import { apiServerReference, buildImage, recorderReference } from '../../lab/images/image.ts'
import { ofMany } from '../../lab/patience.ts'
import { printLogsOnFailure } from '../../lab/vitest.ts'
import { installOperator, namespace, OperatorProcess } from '../operator-process.ts'
import { authorityClass } from './install.ts'
import { kindsMade, made, printProxiesOnFailure } from './nothing-left.ts'

/** What the second client's server of SSH does with sessions; it is read at each connection. */
export const sshPolicyFile = '/tmp/ssh-policy.json'

/** Two clients, so that each replica has one; and a host for what the cluster alone reaches. */
const hosts = {
  client1: { network: 'wan', tailscaled: true },
  client2: { network: 'wan', tailscaled: { env: { TS_DEBUG_SSH_POLICY_FILE: sshPolicyFile }, up: ['--ssh'] } },
  storage: { network: 'cluster' },
} as const

type Labelled = KubeObject & { readonly metadata: { readonly labels?: Readonly<Record<string, string>> } }
type Status = {
  readonly loadBalancer?: { readonly ingress?: readonly object[] }
  readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message: string }[]
}

type Protocols = readonly ('tcp' | 'udp')[]

type Options = Pick<ClusterSpec, 'ipv4' | 'ipv6'> & {
  /** A bed whose tailnet it shares, instead of one of its own; its Pods then have the name `db-2`. */
  readonly tailnet?: Bed
  /** Agents wait no longer than tests need, as for clients to leave a replica that ends. */
  readonly shortWaits?: boolean
}

/** The site `wiki` and the echo server `db`, which the manifests of the docs page make reachable; and two clients. */
export class GroupIngressCluster implements AsyncDisposable {
  readonly bed: Bed
  readonly #env: Readonly<Record<string, string>>
  operator: OperatorProcess

  private constructor(bed: Bed, env: Readonly<Record<string, string>>, operator: OperatorProcess) {
    this.bed = bed
    this.#env = env
    this.operator = operator
  }

  static async start({ tailnet, shortWaits = false, ...families }: Options = {}): Promise<GroupIngressCluster> {
    const [bed, image] = await Promise.all([
      tailnet === undefined
        ? startBed({ acme: true, hosts, cluster: { nodes: 2, ...families } })
        : startBed({ tailnet, hosts: {}, cluster: { nodes: 1 } }),
      buildImage(),
    ])
    const { cluster, control } = bed
    const [, pod] = backendObjects('db')
    const spec = pod!['spec'] as { containers: [object] }
    // The Service has another port than the echo server of others.
    const name = tailnet === undefined ? 'db' : 'db-2'
    const containers = [{ ...spec.containers[0], command: ['echo-server', name, '5432'] }]
    await Promise.all([
      cluster.importImage(image.archive),
      installOperator(bed),
      control.putApi({ autoApproveServices: true }),
    ])
    await cluster.apply(
      ...(await authorityClass(bed, 'lab', shortWaits ? { CULVERT_TEST_SHORT_WAITS: 'true' } : {})),
      ...siteObjects('wiki'),
      {
        ...pod!,
        spec: { ...spec, containers },
      },
    )
    const env = {
      PROXY_IMAGE: image.reference,
      K8S_PROXY_IMAGE: apiServerReference,
      CULVERT_RECORDER_IMAGE: recorderReference,
      PROXY_DEFAULT_CLASS: 'lab',
    }
    return new GroupIngressCluster(bed, env, await OperatorProcess.start(bed, env))
  }

  /** Has the operator run with further variables, as after an upgrade of its release. */
  async restart(more: Readonly<Record<string, string>>): Promise<void> {
    await this.operator.stop()
    expect(this.operator.errors).toEqual([])
    const operator = await OperatorProcess.start(this.bed, { ...this.#env, ...more })
    onTestFailed(() => console.error(operator.logged.join('\n')))
    this.operator = operator
  }

  printLogsOnFailure(): void {
    printLogsOnFailure(this.bed)
    printProxiesOnFailure(this.bed, this.operator)
  }

  get clients() {
    return (['client1', 'client2'] as const).map((name) => this.bed.host(name))
  }

  /** Waits until every replica of a group is ready and up to date. */
  async rolledOut(group: string): Promise<void> {
    await this.bed.cluster.waitFor(`statefulset/${group}`, 'create', { namespace })
    await rolledOut(this.bed.cluster, group)
  }

  /** Has all Pods of all proxies replaced, one after the other. */
  async relabel(value: string): Promise<void> {
    const patch = JSON.stringify({ spec: { statefulSet: { pod: { labels: { revision: value } } } } })
    await this.bed.cluster.kubectl(['patch', 'proxyclass', 'lab', '--type=merge', `--patch=${patch}`])
    const revisions = async () =>
      (await this.bed.cluster.list<Labelled>('pods', namespace)).map(({ metadata }) => metadata.labels?.['revision'])
    await expect.poll(async () => new Set(await revisions()), ofMany).toEqual(new Set([value]))
  }

  /** Sets the replicas of the group `ingress`, and waits until they serve. */
  async scale(replicas: number): Promise<void> {
    const patch = JSON.stringify({ spec: { replicas } })
    await this.bed.cluster.kubectl(['patch', 'proxygroup', 'ingress', '--type=merge', `--patch=${patch}`])
    await this.serving(replicas)
  }

  /** Waits until so many replicas host both, and the tailnet has it so. */
  async serving(replicas: number): Promise<void> {
    await expect.poll(() => this.condition('db')).toContain(`${replicas}/${replicas} proxy backends`)
    await this.hosted(replicas)
  }

  /** Waits until the tailnet has so many hosts for both. */
  async hosted(count: number): Promise<void> {
    for (const service of ['svc:db', 'svc:wiki']) {
      const states = async () => (await this.bed.control.service(service)).hosts.map(({ state }) => state)
      await expect.poll(async () => (await states()).filter((state) => state === 'serving').length).toBe(count)
    }
  }

  async annotate(kind: string, name: string, annotations: Readonly<Record<string, string | null>>): Promise<void> {
    const patch = JSON.stringify({ metadata: { annotations } })
    await this.bed.cluster.kubectl(['patch', kind, name, '--type=merge', `--patch=${patch}`])
  }

  async #status(kind: string, name: string): Promise<Status> {
    return (await this.bed.cluster.get<KubeObject & { status?: Status }>(kind, name))?.status ?? {}
  }

  /** Where an object says that it is reachable. */
  async entries(kind: string, name: string): Promise<readonly object[]> {
    return (await this.#status(kind, name)).loadBalancer?.ingress ?? []
  }

  /** A condition of the Service in words. */
  async condition(name: string): Promise<string> {
    const type = 'TailscaleIngressSvcConfigured'
    const found = (await this.#status('service', name)).conditions?.find((one) => one.type === type)
    return found === undefined ? 'none' : `${found.status}: ${found.message}`
  }

  /** Waits until all clients reach the site `wiki` and the port of `db`, of both families and these protocols. */
  async reachable(protocols?: Protocols): Promise<void> {
    await this.shows('wiki')
    await this.answering((await this.bed.control.service('svc:db')).addresses, protocols)
  }

  /** Waits until all clients reach the site `wiki` under a name. */
  async shows(name: string): Promise<void> {
    for (const client of this.clients) {
      const once = () => ask(client, { to: `${name}.lab.ts.net`, protocol: 'https', patience: 5000 }).catch(String)
      await expect.poll(once).toMatchObject({ host: 'wiki' })
    }
  }

  /** Waits until all clients reach `db` by these addresses, with these protocols. */
  async answering(addresses: readonly string[], protocols: Protocols = ['tcp', 'udp']): Promise<void> {
    for (const client of this.clients)
      for (const to of addresses)
        for (const protocol of protocols) {
          const once = () => ask(client, { to, port: 5432, protocol, patience: 5000 }).catch(String)
          await expect.poll(once).toMatchObject({ host: 'db' })
        }
  }

  /** Runs `work` while every client opens new connections to both; gives what these saw. */
  async load(
    work: () => Promise<void>,
    patience: { readonly patience: number; readonly retries: number },
  ): Promise<readonly Report[]> {
    const { addresses } = await this.bed.control.service('svc:db')
    const often = { mode: 'connect', every: 250, count: 1_000_000, duration: 4 * 3_600_000, ...patience } as const
    const load = await Promise.all(
      this.clients.flatMap((client) => [
        startTraffic(client, { ...often, to: 'wiki.lab.ts.net', protocol: 'https' }),
        startTraffic(client, { ...often, to: addresses[0], port: 5432, protocol: 'tcp' }),
      ]),
    )
    await work()
    await expect.poll(() => load.filter(({ report }) => (report?.sent ?? 0) < 20)).toEqual([])
    return Promise.all(load.map((one) => one.stop()))
  }

  /** The same; no new connection may fail. */
  async underLoad(work: () => Promise<void>): Promise<void> {
    // A connection that is open while the tailnet moves its client breaks, and is repeated as browsers do.
    const reports = await this.load(work, { patience: 30_000, retries: 2 })
    expect(reports.map(({ sent, answered, failures }) => ({ failures, unanswered: sent - answered }))).toEqual(
      reports.map(() => ({ failures: [], unanswered: 0 })),
    )
  }

  /** Whether each replica of a group says that it forwards to `db`. */
  async forwarding(group: string): Promise<readonly boolean[]> {
    const all = await this.bed.cluster.list<Stored>('secrets', namespace)
    const states = all.filter(({ metadata }) => metadata.name.replace(/-\d+$/, '') === group)
    return states.map((state) => textIn(state, 'ingress-config.json')?.includes('svc:db') === true)
  }

  /** What the operator has made, besides what is named after its groups. */
  async made(): Promise<readonly string[]> {
    return made(this.bed, `${kindsMade},configmaps,poddisruptionbudgets`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.operator.stop()
    await this.bed.down()
  }
}
