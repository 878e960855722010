import { isIPv6 } from 'node:net'
import { CulvertError } from '../lib/errors.ts'
import type { HostProcess } from '../test/lab/bed.ts'
import { backendAddress, type BenchBed, type Family } from './bench-bed.ts'
import type { Contestant } from './contestant.ts'

let started = 0

/** A contestant running in its host as an L3 ingress proxy in front of the backend, for one address family. */
export class Proxy implements AsyncDisposable {
  readonly process: HostProcess
  /** Milliseconds from the start of the process until it logged that start-up is complete. */
  readonly readyAfter: number
  readonly #bed: BenchBed
  readonly #contestant: Contestant
  readonly #node: string

  private constructor(bed: BenchBed, contestant: Contestant, node: string, process: HostProcess, readyAfter: number) {
    this.#bed = bed
    this.#contestant = contestant
    this.#node = node
    this.process = process
    this.readyAfter = readyAfter
  }

  /** Starts it as a new node with new state on disk, and returns once it is ready. */
  static async start(bed: BenchBed, contestant: Contestant, family: Family): Promise<Proxy> {
    started += 1
    const node = `${contestant.name}-${started}`
    const env = {
      TS_USERSPACE: 'false',
      TS_DEST_IP: backendAddress(bed, family),
      TS_AUTHKEY: await bed.authKey(),
      TS_HOSTNAME: node,
      TS_STATE_DIR: `/var/lib/${node}`,
      TS_EXTRA_ARGS: `--login-server=${bed.controlUrl}`,
      // Upstream's agent chooses iptables by default; ours uses nftables. Both are measured with the same.
      TS_DEBUG_FIREWALL_MODE: 'nftables',
      ...contestant.env,
    }
    const begun = performance.now()
    const process = await bed.host(contestant.name).spawn(contestant.argv, { name: node, env })
    await process.line(/Startup complete, waiting for shutdown signal/)
    return new Proxy(bed, contestant, node, process, performance.now() - begun)
  }

  /** Its address in the tailnet. */
  async address(family: Family): Promise<string> {
    const { addresses } = await this.#bed.control.node(this.#node)
    const own = addresses.map((prefix) => prefix.split('/')[0] ?? '').find((one) => isIPv6(one) === (family === 'v6'))
    if (own === undefined) throw new Error(`${this.#node} has no tailnet address of ${family}`)
    return own
  }

  /** Milliseconds from SIGTERM to its exit. Removes the node, and what it left in the host, for the next run. */
  async stop(): Promise<number> {
    const begun = performance.now()
    const { code, signal } = await this.process.stop()
    const took = performance.now() - begun
    if (code !== 0) throw new CulvertError('command', `${this.#node} ended with ${signal ?? `exit code ${code}`}`)
    const host = this.#bed.host(this.#contestant.name)
    await host.exec(['nft', 'flush', 'ruleset'])
    await host.exec(['rm', '-rf', `/var/lib/${this.#node}`, '/tmp/tailscaled.sock', '/var/run/tailscale'])
    await this.#bed.control.removeNode(this.#node)
    return took
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.process.running) await this.stop()
  }
}
