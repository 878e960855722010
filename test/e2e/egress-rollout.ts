import { expect } from 'vitest'
import { type Host, type Report, startTraffic } from '../lab/bed.ts'
import { echoPort } from './egress-bed.ts'

const families = ['v4', 'v6'] as const

const replicas = 3

/** A group of three proxies, as far as its clients see it. */
export type Restarted = {
  readonly clients: readonly Host[]
  /** For how long a node remembers a connection that was reset, in ms. */
  readonly forgets: number
  readonly addresses: (service: string) => Promise<{ readonly v4: string; readonly v6: string }>
  /** Restarts all replicas, one after the other; gives how long it took, in ms. */
  readonly restart: () => Promise<number>
}

/** How often each client opens a new connection, in ms. */
const every = 50
const endless = { port: echoPort, protocol: 'tcp', count: 1_000_000, duration: 4 * 3_600_000 } as const

export type Rollout = {
  /** How long each restart took, in ms. */
  readonly took: readonly number[]
  /** New connections, of each client in each family. */
  readonly connections: readonly Report[]
  /** Connections that were open before a restart, for each restart. */
  readonly flows: readonly (readonly Report[])[]
}

/** Runs `work` for each client in each family at once. */
type Each = <T>(
  work: (way: { readonly client: Host; readonly address: string }, index: number) => Promise<T>,
) => Promise<T[]>

/** Runs `work` while clients on each node keep opening connections; gives what these saw. */
export async function underLoad(
  egress: Pick<Restarted, 'clients' | 'addresses'>,
  service: string,
  work: (each: Each) => Promise<void>,
): Promise<readonly Report[]> {
  const to = await egress.addresses(service)
  const ways = egress.clients.flatMap((client) => families.map((family) => ({ client, address: to[family] })))
  const each: Each = (one) => Promise.all(ways.map(one))
  const load = await each(({ client, address }) =>
    startTraffic(client, { ...endless, to: address, mode: 'connect', every }),
  )
  await work(each)
  return Promise.all(load.map((one) => one.stop()))
}

/** Restarts all replicas this many times, while clients on each node keep opening connections and keep some open. */
export async function restartUnderLoad(egress: Restarted, service: string, times: number): Promise<Rollout> {
  const took: number[] = []
  const flows: (readonly Report[])[] = []
  const connections = await underLoad(egress, service, async (each) => {
    for (let time = 0; time < times; time += 1) {
      const kept = await each(({ client, address }, index) => {
        // A port is reused between the reset of its connection and the time when the nodes have forgotten it.
        const againAfter = (egress.forgets * index) / (egress.clients.length * families.length)
        return startTraffic(client, { ...endless, to: address, mode: 'flow', againAfter })
      })
      took.push(await egress.restart())
      flows.push(await Promise.all(kept.map((flow) => flow.stop())))
    }
  })
  return { took, flows, connections }
}

/** Expects that no new connection failed; all clients at once, so that no failure hides another. */
export function expectAllAnswered(connections: readonly Report[]): void {
  const lacking = connections.map(({ sent, answered, failures }) => ({ failures, unanswered: sent - answered }))
  expect(lacking).toEqual(connections.map(() => ({ failures: [], unanswered: 0 })))
}

/** Expects that no new connection failed, and that every other one ended by a reset with its replica, and none hung. */
export function expectNothingFailed({ took, connections, flows }: Rollout): void {
  const seconds = took.map((ms) => Math.round(ms / 1000))
  const gaps = flows.map((reports) => Math.max(...reports.map(({ longestGap }) => longestGap)))
  const slowest = connections.map((report) => report.slowest)
  console.log(
    `${took.length} rolling restarts took ${seconds.join(', ')} s; open connections rested for up to ${gaps.join(', ')} ms; ` +
      `slowest new ones of each client: ${slowest.join(', ')} ms`,
  )
  expectAllAnswered(connections)
  for (const { sent } of connections) expect(sent).toBeGreaterThan(took.length * 100)
  for (const [time, reports] of flows.entries()) {
    for (const { broken, again, longestGap } of reports) {
      expect(broken?.code).toBe('ECONNRESET')
      // A port in use has been chosen for a new connection meanwhile, which counts above.
      expect(['answered', 'EADDRINUSE']).toContain(again)
      // Less than the restart of its replica takes.
      expect(longestGap).toBeLessThan(took[time]! / replicas)
    }
  }
}
