import { setTimeout as delay } from 'node:timers/promises'
import type { Host } from '../test/lab/hosts/host.ts'
import type { BenchBed, Family } from './bench-bed.ts'
import type { Contestant } from './contestant.ts'
import { Proxy } from './proxy.ts'

export const sides = ['ours', 'upstream'] as const
export type Side = (typeof sides)[number]

/** Ours and upstream's, running at once, and the addresses at which the client reaches the backend through each. */
export class Pair implements AsyncDisposable {
  readonly family: Family
  readonly address: Readonly<Record<Side, string>>
  readonly proxies: Readonly<Record<Side, Proxy>>

  private constructor(family: Family, address: Record<Side, string>, proxies: Record<Side, Proxy>) {
    this.family = family
    this.address = address
    this.proxies = proxies
  }

  /** Starts both, and waits until the client has a direct path to each. */
  static async start(bed: BenchBed, all: Readonly<Record<Side, Contestant>>, family: Family): Promise<Pair> {
    const ours = await Proxy.start(bed, all.ours, family)
    const upstream = await Proxy.start(bed, all.upstream, family)
    const address = { ours: await ours.address(family), upstream: await upstream.address(family) }
    for (const side of sides) await directPath(bed.host('client'), address[side])
    return new Pair(family, address, { ours, upstream })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(Object.values(this.proxies).map((proxy) => proxy[Symbol.asyncDispose]()))
  }
}

/**
 * Waits for a direct path over IPv4 to another node, and rejects without one: otherwise the relay or another path would
 * be measured.
 */
export async function directPath(from: Host, to: string): Promise<void> {
  const ping = ['tailscale', 'ping', '--until-direct', '--c=20', '--timeout=1s', to]
  // The other nodes do not know a new node at once.
  for (let attempt = 1; ; attempt += 1) {
    const { exitCode, stdout, stderr } = await from.exec(ping, { check: false, timeout: 30_000 })
    if (exitCode === 0 && /via (\d+\.){3}\d+:\d+ in \S+\s*$/.test(stdout)) return
    if (attempt === 5) throw new Error(`no direct path to ${to}: ${stdout}\n${stderr}`)
    await delay(300)
  }
}
