import { readFileSync } from 'node:fs'
import { get } from 'node:http'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { expect } from 'vitest'
import type { Counts } from '../../netfilter/traffic.ts'
import type { Bed } from '../lab/bed.ts'
import type { Host } from '../lab/hosts/host.ts'
import type { HostProcess } from '../lab/hosts/process.ts'
import { patience } from '../lab/patience.ts'
import { printLogsOnFailure } from '../lab/vitest.ts'
import { firewallEnv } from './firewall.ts'

/** The bundle under test; the test command builds it. */
export const bundle = join(import.meta.dirname, '..', '..', 'dist', 'agent.js')

export type Environment = Readonly<Record<string, string>>

/** The answer of `/status`, as far as tests read it. */
export type Status = {
  readonly ready: boolean
  readonly notReady: readonly string[]
  readonly tailscaled: {
    readonly phase: string
    readonly pid: number
    readonly restarts: number
    readonly state: string | null
    readonly problem: string | null
    readonly health: readonly string[]
    readonly loginUrl: string | null
  }
  readonly node: {
    readonly id: string | null
    readonly name: string | null
    readonly addresses: readonly string[]
    readonly online: boolean | null
    readonly keyExpiry: string | null
  }
  readonly firewall: { readonly name: string; readonly reason: string } | null
  readonly targets: readonly {
    readonly address: string
    readonly forwarded: boolean
    readonly problem: string | null
    readonly from: readonly string[]
  }[]
  readonly ports: { readonly forwarded: readonly string[]; readonly problems: readonly string[] } | null
  readonly dns: {
    readonly resolvedAs: string | null
    readonly addresses: readonly string[]
    readonly leaving: readonly string[]
    readonly resolvedAt: string | null
    readonly nextAt: string | null
    readonly failures: number
    readonly problems: readonly string[]
  } | null
  readonly egress: { readonly addresses: readonly string[]; readonly problems: readonly string[] } | null
  readonly services: readonly {
    readonly name: string
    readonly hosted?: boolean | null
    readonly problems: readonly string[]
  }[]
  readonly relay: {
    readonly begunSessions: number
    readonly bytes: Readonly<Record<'tcp' | 'udp', { readonly toBytes: number; readonly fromBytes: number }>>
  } | null
  readonly traffic: {
    readonly problem: string | null
    readonly services: readonly (Counts & { readonly kind: string; readonly service: string })[]
  } | null
  readonly peers: readonly object[] | null
  readonly certificates: readonly {
    readonly domain: string
    readonly issuer: boolean
    readonly expires: string | null
    readonly servedExpires: string | null
    readonly behindSeconds: number | null
    readonly attempts: number
    readonly failures: Readonly<Record<string, number>>
    readonly nextRequest: string | null
    readonly reason: string | null
    readonly problem: string | null
  }[]
  readonly serve: {
    readonly domain: string | null
    readonly ports: readonly number[]
    readonly problems: readonly { readonly entry: string; readonly problem: string }[]
  } | null
  readonly checks: Readonly<
    Record<
      string,
      { readonly state: string; readonly since: string | null; readonly reason: string | null } | undefined
    >
  >
  readonly reconcilers: Readonly<
    Record<
      string,
      { readonly verifiedAt: string | null; readonly error: string | null; readonly repairs: number } | undefined
    >
  >
}

export const defaults = (bed: Bed): Environment => ({
  TS_USERSPACE: 'false',
  TS_HOSTNAME: 'proxy',
  TS_EXTRA_ARGS: `--login-server=${bed.controlUrl}`,
  CULVERT_TERMINATION_LOG: '/tmp/termination-log',
})

/** State that survives tailscaled and the agent, within the host. */
export const onDisk: Environment = { TS_STATE_DIR: '/var/lib/tailscale' }

type Options = { readonly host?: string; readonly flags?: readonly string[] }

/** An agent running in a host of a bed. */
export class Proxy implements AsyncDisposable {
  readonly host: Host
  readonly process: HostProcess
  readonly #env: Environment

  private constructor(host: Host, process: HostProcess, env: Environment) {
    this.host = host
    this.process = process
    this.#env = env
  }

  /**
   * Starts the agent; `wrap` goes before its command line, to drop capabilities. A failure shows the bed's last log
   * lines.
   */
  static async start(
    bed: Bed,
    env: Environment,
    { host = 'proxy', wrap = [], flags = [] }: Options & { readonly wrap?: readonly string[] } = {},
  ): Promise<Proxy> {
    const place = bed.host(host)
    printLogsOnFailure(bed)
    await place.exec(['sh', '-c', ': > /tmp/termination-log'])
    const all = { ...defaults(bed), ...(await firewallEnv(place)), ...env }
    const started = await place.spawn([...wrap, process.execPath, bundle, ...flags], { name: 'agent', env: all })
    return new Proxy(place, started, all)
  }

  /** Starts it and waits until start-up is complete. */
  static async ready(bed: Bed, env: Environment, options?: Options): Promise<Proxy> {
    const proxy = await Proxy.start(bed, env, options)
    try {
      await proxy.process.line(/^boot: .* Startup complete, waiting for shutdown signal$/)
      return proxy
    } catch (error) {
      await proxy[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Runs one of the agent's commands in its host, with the environment of the agent. */
  async command(...args: string[]) {
    return this.host.exec([process.execPath, bundle, ...args], { check: false, env: this.#env })
  }

  /** What `culvert status --json` prints, without starting a process. */
  status(): Promise<Status> {
    return new Promise((resolve, reject) => {
      const socketPath = this.host.path('/tmp/culvert.sock')
      get({ socketPath, path: '/status', agent: false, signal: AbortSignal.timeout(patience) }, (response) => {
        json(response).then((status) => resolve(status as Status), reject)
      }).on('error', reject)
    })
  }

  /** The first status for which `condition` holds. */
  async until(condition: (status: Status) => boolean): Promise<Status> {
    let last: Status | undefined
    await expect
      .poll(async () => (last = await this.status().catch(() => undefined)), { interval: 50 })
      .toSatisfy((status: Status | undefined) => status !== undefined && condition(status))
    return last!
  }

  /** The node's addresses in the tailnet. */
  async own(): Promise<{ v4: string; v6: string }> {
    const { node } = await this.status()
    return {
      v4: node.addresses.find((address) => address.includes('.')) ?? '',
      v6: node.addresses.find((address) => address.includes(':')) ?? '',
    }
  }

  /** Waits until it exits by itself; returns the exit code and the reason that it left for kubelet. */
  async ended(): Promise<{ code: number | undefined; reason: string; log: string }> {
    const { code } = await this.process.exited
    return {
      code,
      reason: readFileSync(this.host.path('/tmp/termination-log'), 'utf8'),
      log: this.process.log.join('\n'),
    }
  }

  /** The agent's own log lines, without those of tailscaled. */
  get lines(): string[] {
    return this.process.log.filter((line) => line.startsWith('boot: '))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process.stop()
  }
}

/** What is left in a host of everything that an agent makes: processes, rules, devices, files. */
export async function leftovers(host: Host): Promise<string[]> {
  const listings: [string[], RegExp][] = [
    [['ps', '-eo', 'args='], /tailscale|nft monitor|agent\.js/],
    // Also those of iptables-nft, which cannot list what tailscaled has written by nft itself.
    [['nft', 'list', 'ruleset'], /culvert/i],
    [['iptables-legacy-save'], /CULVERT/],
    [['ip6tables-legacy-save'], /CULVERT/],
    [['ip', '-br', 'link'], /tailscale0/],
    [['ls', '/tmp'], /\.sock$/],
  ]
  const found = await Promise.all(
    listings.map(async ([argv, ours]) => (await host.exec(argv)).stdout.split('\n').filter((line) => ours.test(line))),
  )
  return found.flat()
}

/** Waits until nothing of an agent that has ended is left in a host: programs that it ran may end a moment after it. */
export const nothingLeft = (host: Host, message?: string): Promise<void> =>
  expect.poll(() => leftovers(host), { ...(message !== undefined && { message }) }).toEqual([])
