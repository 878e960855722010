import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { definitions } from '../../operator/schemas/all.ts'
import type { Bed } from '../lab/bed.ts'
import { kubeconfig } from '../lab/cluster/users.ts'
import type { KubeObject } from '../lab/cluster/kubectl.ts'
import { controlUrls } from '../lab/namespaces/addresses.ts'
import { projectRoot } from '../lab/paths.ts'
import { poll } from '../lab/poll.ts'
import { readYaml } from '../users/readers/yaml.ts'

export const namespace = 'tailscale'

type Texts = Readonly<Record<string, string>>

/** Installs what the operator needs in a cluster, as docs/examples/operator.yaml has it, but for its Pod. */
export async function installOperator({ cluster }: Bed): Promise<void> {
  await cluster.kubectl(['apply', '--server-side', `--filename=${join(projectRoot, 'operator/crds')}`])
  const text = readFileSync(join(projectRoot, 'docs/examples/operator.yaml'), 'utf8')
  await cluster.apply(...readYaml<KubeObject>(text).filter(({ kind }) => kind !== 'Deployment'))
  // The API server has new kinds a moment after their definitions.
  const kinds = definitions.map(({ resource }) => resource.plural).join()
  await poll('that the API server has the kinds', () => cluster.list(kinds).catch(() => undefined), 100)
}

/** The operator as a process in the network of the cluster's control plane, with the rights of its service account. */
export class OperatorProcess implements AsyncDisposable {
  readonly #child: ChildProcess
  /** Until it has ended, and all that it logged is in `logged`. */
  readonly #closed: Promise<unknown>
  readonly #folder: string
  /** What it has logged, without the times. */
  readonly logged: readonly string[]
  /** What it has printed. */
  readonly printed: readonly string[]

  private constructor(child: ChildProcess, folder: string) {
    this.#child = child
    this.#folder = folder
    const [logged, printed]: [string[], string[]] = [[], []]
    const logs = createInterface({ input: child.stderr! })
    const prints = createInterface({ input: child.stdout! })
    logs.on('line', (line) => logged.push(line.replace(/^boot: \S+ \S+ /, '')))
    prints.on('line', (line) => printed.push(line))
    this.#closed = Promise.all([once(child, 'exit'), once(logs, 'close'), once(prints, 'close')])
    this.logged = logged
    this.printed = printed
  }

  /** Starts one, and returns when it follows the cluster. `program`: its bundle, instead of the sources. */
  static async start(bed: Bed, more: Texts = {}, program?: string): Promise<OperatorProcess> {
    const started = await OperatorProcess.run(bed, [], more, program)
    const follows = poll('that it follows the cluster', () => {
      if (started.hasEnded) throw new Error(`it has ended with ${started.#child.exitCode}`)
      return started.logged.includes('follows the cluster') || undefined
    })
    await follows.catch(async (cause: unknown) => {
      await started.stop()
      throw new Error(`the operator: ${started.logged.join('\n')}`, { cause })
    })
    return started
  }

  /** Starts the program with arguments. */
  static async run(
    bed: Bed,
    programArguments: readonly string[],
    more: Texts = {},
    program = join(projectRoot, 'operator/main.ts'),
  ): Promise<OperatorProcess> {
    const folder = mkdtempSync(join(tmpdir(), 'culvert-operator-'))
    const file = (name: string, text: string): string => {
      writeFileSync(join(folder, name), text, { mode: 0o600 })
      return join(folder, name)
    }
    const { id, secret } = await bed.control.createApiClient({ tags: ['tag:k8s-operator'] })
    const token = (await bed.cluster.token(namespace, 'operator')).trim()
    const env = {
      PATH: process.env['PATH'] ?? '',
      NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? '',
      KUBECONFIG: file('kubeconfig', kubeconfig(bed.cluster.url.v4, bed.cluster.ca, 'operator', token)),
      OPERATOR_NAMESPACE: namespace,
      OPERATOR_LOGIN_SERVER: controlUrls[bed.cluster.families[0] ?? 'v4'],
      CLIENT_ID_FILE: file('client_id', id),
      CLIENT_SECRET_FILE: file('client_secret', secret),
      // A busy machine may take long for a write.
      CULVERT_LEASE_DURATION: '60s',
      CULVERT_LEASE_RENEW_DEADLINE: '40s',
      ...more,
    }
    // It ends with this process, however that ends.
    const tied = ['setpriv', '--pdeathsig', 'KILL', '--'] as const
    const own = [process.execPath, program, ...programArguments]
    const [command, ...args] = [...tied, ...bed.cluster.argv.slice(0, -1), ...tied, ...own]
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env })
    return new OperatorProcess(child, folder)
  }

  readonly name = 'operator'

  /** Of the program itself: what it was started by has become it. */
  get pid(): number {
    return this.#child.pid!
  }

  /** What it complains of. */
  get errors(): readonly string[] {
    return this.logged.filter((line) => /error|warning|bug/.test(line))
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name)
  }

  /** Its exit code, once it has ended; null if a signal ended it. */
  async end(): Promise<number | null> {
    await this.#closed
    rmSync(this.#folder, { recursive: true, force: true })
    return this.#child.exitCode
  }

  /** Ends it as kubelet does; gives its exit code. */
  async stop(): Promise<number | null> {
    if (!this.hasEnded) this.signal('SIGTERM')
    return this.end()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}
