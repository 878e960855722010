import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { Finding } from '../../../operator/check/finding.ts'
import { type Bed, startBed } from '../../lab/bed.ts'
import { kubeconfig } from '../../lab/cluster/users.ts'
import type { ApiClient } from '../../lab/control-types.ts'
import { projectRoot } from '../../lab/paths.ts'
import { installOperator, namespace } from '../operator-process.ts'

type Answer = { readonly exitCode: number; readonly printed: string; readonly findings: readonly Finding[] }

/** A tailnet and an API server, in which `culvert check` runs with the rights of the operator. */
export class CheckBed implements AsyncDisposable {
  readonly bed: Bed
  readonly #folder = mkdtempSync(join(tmpdir(), 'culvert-check-'))
  readonly #token: string

  private constructor(bed: Bed, token: string) {
    this.bed = bed
    this.#token = token
  }

  static async start(): Promise<CheckBed> {
    const bed = await startBed({ hosts: {}, cluster: { nodes: 0 } })
    await installOperator(bed)
    const at = new CheckBed(bed, (await bed.cluster.token(namespace, 'operator')).trim())
    await bed.cluster.apply({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'one' } })
    await at.nodeIs({ operatingSystem: 'linux', architecture: 'amd64', kernelVersion: '6.12.9-cloud' })
    return at
  }

  /** What kubelet would report; no node runs. */
  async nodeIs(nodeInfo: Readonly<Record<string, string>>, address = '10.1.0.1'): Promise<void> {
    const status = { nodeInfo, addresses: [{ type: 'InternalIP', address }] }
    const patch = ['--subresource=status', '--type=merge', `--patch=${JSON.stringify({ status })}`]
    await this.bed.cluster.kubectl(['patch', 'node', 'one', ...patch])
  }

  file(name: string, content: string): string {
    const path = join(this.#folder, name)
    writeFileSync(path, content, { mode: 0o600 })
    return path
  }

  kubeconfig(token = this.#token): string {
    const { url, ca } = this.bed.cluster
    return this.file('kubeconfig', kubeconfig(url.v4, ca, 'operator', token))
  }

  /** Runs it by the credentials of a client. `more`: of its environment. */
  async check({ id, secret }: ApiClient, more: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const env = {
      PATH: process.env['PATH'] ?? '',
      NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? '',
      KUBECONFIG: this.kubeconfig(),
      OPERATOR_NAMESPACE: namespace,
      OPERATOR_LOGIN_SERVER: this.bed.controlUrl,
      CLIENT_ID_FILE: this.file('client_id', id),
      CLIENT_SECRET_FILE: this.file('client_secret', secret),
      ...more,
    }
    const program = join(projectRoot, 'operator/main.ts')
    const [command = '', ...args] = [
      ...this.bed.cluster.argv.slice(0, -1),
      process.execPath,
      program,
      'check',
      '--json',
    ]
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'], env })
    const [printed, [exitCode]] = await Promise.all([text(child.stdout), once(child, 'exit') as Promise<[number]>])
    return { exitCode, printed, findings: JSON.parse(printed) as Finding[] }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.bed.down()
    rmSync(this.#folder, { recursive: true })
  }
}
