import { randomInt } from 'node:crypto'
import { expect } from 'vitest'
import { type Report, startTraffic } from '../lab/bed.ts'
import type { Cluster } from '../lab/cluster/cluster.ts'
import { fqdnOf } from '../lab/cluster/ingress.ts'
import { proxyNamespace } from '../lab/cluster/proxy.ts'
import type { IngressBed } from './ingress-bed.ts'
import { ProxyPod } from './cluster.ts'

/** How often each client sends a request, in ms. */
const every = 250

type Load = {
  /** What each client saw. */
  readonly reports: readonly Report[]
  /** How often a replica began or ceased to serve meanwhile, which is at most how often clients were moved. */
  readonly moves: number
}

type Patience = {
  /** The time limit of one answer, in ms. */
  readonly patience: number
  /** How often a request that broke may be repeated. */
  readonly retries: number
}

/** Runs `work` while every client keeps sending requests to an Ingress. */
async function underLoad(
  ingress: IngressBed,
  name: string,
  patience: Patience,
  work: () => Promise<void>,
): Promise<Load> {
  const site = { to: fqdnOf({ name }), protocol: 'https', mode: 'connect' } as const
  const endless = { count: 1_000_000, duration: 4 * 3_600_000, every, ...patience }
  const { last } = await ingress.bed.control.events()
  const load = await Promise.all(ingress.clients.map((client) => startTraffic(client, { ...site, ...endless })))
  await work()
  const reports = await Promise.all(load.map((one) => one.stop()))
  const { events } = await ingress.bed.control.events(last)
  return { reports, moves: events.filter(({ kind }) => kind === 'service-host').length }
}

/**
 * Restarts all replicas this many times, one after the other each time, under load. A request that is under way when
 * the tailnet moves its client to another replica breaks, and is repeated as browsers do. None fails.
 */
export async function restartUnderLoad(ingress: IngressBed, name: string, times: number): Promise<void> {
  const took: number[] = []
  const { reports, moves } = await underLoad(ingress, name, { patience: 30_000, retries: 2 }, async () => {
    for (let time = 0; time < times; time += 1) {
      took.push(await ingress.restart())
      await ingress.serves(name)
    }
  })
  const seconds = took.map((ms) => Math.round(ms / 1000))
  const anew = reports.map(({ retried }) => retried.length)
  console.log(`${times} rolling restarts took ${seconds.join(', ')} s; ${moves} moves; asked anew: ${anew.join(', ')}`)
  expect(reports.map(({ sent, answered, failures }) => ({ failures, unanswered: sent - answered }))).toEqual(
    reports.map(() => ({ failures: [], unanswered: 0 })),
  )
  for (const { sent, retried, maxAtOnce } of reports) {
    expect(sent).toBeGreaterThan(times * 20)
    // Each move breaks the requests under way.
    expect(retried.length).toBeLessThanOrEqual(moves * maxAtOnce)
  }
}

/** The time limit of one answer while replicas are killed, in ms. */
export const answersWithin = 10_000

/** When a replica was killed, and when it was back. */
export type Outage = { readonly from: number; readonly to: number }

/**
 * Failures that no outage explains: requests may fail until the replica is back, or others have its clients, and a
 * failure is reported only after its time limit.
 */
export const unexplained = ({ failures }: Report, outages: readonly Outage[]): Report['failures'] =>
  failures.filter(({ at }) => {
    const time = Date.parse(at)
    return !outages.some(({ from, to }) => time >= from && time < to + answersWithin)
  })

/**
 * Kills replicas one after the other under load, including the Pod, and waits until each is back as the same node: all
 * that is left of it is in Secrets.
 */
export async function killUnderLoad(ingress: IngressBed, name: string, victims: readonly ProxyPod[]): Promise<void> {
  const outages: Outage[] = []
  const { reports } = await underLoad(ingress, name, { patience: answersWithin, retries: 0 }, async () => {
    for (const victim of victims) {
      const before = (await victim.pod())?.metadata.uid
      const identity = (await victim.secret())['device_id']
      const from = Date.now()
      await kill(victim)
      await expect.poll(async () => (await victim.pod())?.metadata.uid ?? before).not.toBe(before)
      await victim.ready()
      await ingress.serves(name)
      outages.push({ from, to: Date.now() })
      expect((await victim.secret())['device_id']).toBe(identity)
    }
  })
  for (const report of reports) {
    expect(unexplained(report, outages)).toEqual([])
    expect(report.longestGap).toBeLessThan(Math.max(...outages.map(({ from, to }) => to - from)) + answersWithin)
  }
  const longest = reports.map(({ longestGap }) => longestGap)
  console.log(`${victims.length} kills; longest time without an answer: ${longest.join(', ')} ms`)
}

/**
 * Kills a replica of a group by chance, including the Pod, this many times; each time until the Pod is back, and
 * `recovered`. Gives how long each was away.
 */
export async function killAgain(
  cluster: Cluster,
  names: readonly string[],
  times: number,
  recovered: () => Promise<void>,
): Promise<readonly Outage[]> {
  const outages: Outage[] = []
  for (let time = 0; time < times; time += 1) {
    const victim = new ProxyPod(cluster, names[randomInt(names.length)]!)
    const before = (await victim.pod())?.metadata.uid
    const from = Date.now()
    await kill(victim)
    await expect.poll(async () => (await victim.pod())?.metadata.uid ?? before).not.toBe(before)
    await victim.ready()
    await recovered()
    outages.push({ from, to: Date.now() })
  }
  return outages
}

/** Expects of new connections that only those of the outages, and of the time limit of an answer, have failed. */
export function expectOnlyExplained(reports: readonly Report[], outages: readonly Outage[]): void {
  const seconds = outages.map(({ from, to }) => Math.round((to - from) / 1000))
  const lost = reports.map(({ sent, answered }) => sent - answered)
  console.log(`away for ${seconds.join(', ')} s; connections of each client that failed: ${lost.join(', ')}`)
  expect(reports.map((report) => unexplained(report, outages))).toEqual(reports.map(() => []))
}

/** As the OOM killer does; a new Pod is started without kubelet's back-off. */
export async function kill(victim: ProxyPod): Promise<void> {
  await victim.exec('sh', '-c', 'kill -KILL $(pidof node) $(pidof tailscaled)')
  const atOnce = ['--force', '--grace-period=0', '--wait=false']
  await victim.cluster.kubectl(['delete', 'pod', victim.name, `--namespace=${proxyNamespace}`, ...atOnce])
}

/** Expects that one replica issued all certificates, and only this many. */
export async function expectOneIssuer(ingress: IngressBed, certificates: number): Promise<void> {
  const { events } = await ingress.bed.control.events()
  const issuers = events.flatMap(({ kind, node }) => (kind === 'set-dns' ? [node] : []))
  expect(new Set(issuers)).toEqual(new Set(['ingress-0']))
  const orders = await ingress.bed.acme.orders()
  expect(orders.map(({ issued }) => issued)).toEqual(Array.from({ length: certificates }, () => true))
}
