import { alternate } from '../alternate.ts'
import type { Contestant } from '../contestant.ts'
import { type EndToEndSize, measuresOf, pathOf, servicesTo, throughReplicas } from '../egress/end-to-end.ts'
import { counts, title } from '../egress/packets.ts'
import type { Probe } from '../egress/probe.ts'
import { type EgressBed, Replica, tailnetAddress } from '../egress/replica.ts'
import { firstPort, type Service, services, targetPort, targets } from '../egress/services.ts'
import { directPath, type Side, sides } from '../pair.ts'
import type { Row, Section } from '../section.ts'
import { median } from '../stats.ts'
import { arrivalAfter } from './arrival.ts'

export type AgentsSize = {
  readonly more: { readonly repeats: number; readonly times: number }
  readonly endToEnd: EndToEndSize
}

/** A node's address in the tailnet, and its IPv4 rules as `iptables-save` lists them, by the number of services. */
export type Recording = { readonly own: string; readonly rules: ReadonlyMap<number, string> }

export type MeasuredAgents = {
  readonly recordings: Readonly<Record<Side, Recording>>
  readonly sections: readonly Section[]
}

type Setup = {
  readonly bed: EgressBed
  readonly probe: Probe
  readonly replicas: Readonly<Record<Side, Replica>>
}

/** The port of services whose target answers, beside those of `services`. */
const port = firstPort - 1

/** Both agents with more and more services: what it takes to add some, and what passes through both tailscaleds. */
export async function measureAgents(
  bed: EgressBed,
  all: Readonly<Record<Side, Contestant>>,
  probe: Probe,
  { more, endToEnd }: AgentsSize,
  note: (detail: string) => void,
): Promise<MeasuredAgents> {
  note('start both')
  await routeTargets(bed)
  const start = (side: Side): Promise<Replica> => {
    const env = { ...all[side].env, TS_EXTRA_ARGS: `--login-server=${bed.controlUrl} --accept-routes` }
    return Replica.start(bed, side, { ...all[side], env }, services(1))
  }
  await using ours = await start('ours')
  await using upstream = await start('upstream')
  const setup: Setup = { bed, probe, replicas: { ours, upstream } }
  for (const side of sides) await directPath(bed.host('client'), await setup.replicas[side].own())
  const live = servicesTo(await tailnetAddress(bed, 'client'), port)
  const rules = { ours: new Map<number, string>(), upstream: new Map<number, string>() }
  const [adding, through]: [Row[], Row[]] = [[], []]
  for (const [at, count] of counts.entries()) {
    const noted = (detail: string): void => note(`${title(count)}, ${detail}`)
    const grown = await growTo(setup, count, noted)
    if (at > 0) adding.push({ ...grown, what: `${title(count)} instead of ${counts[at - 1]}` })
    for (const side of sides) rules[side].set(count, (await bed.host(side).exec(['iptables-save'])).stdout)
    adding.push({ ...(await addOne(setup, services(count), live[0]!, more, noted)), goal: 1.05 })
    // The rules alone are measured with each number, which takes less time.
    if (at > 0 && at < counts.length - 1) continue
    for (const side of sides) await setup.replicas[side].forward([...services(count), ...live])
    const rows = await throughReplicas({ ...setup, port }, endToEnd, noted)
    through.push(
      ...rows.map((row) => ({
        ...row,
        what: `${title(count)}, ${row.what}`,
        goal: row.better === 'less' ? 1.05 : 0.95,
      })),
    )
    for (const side of sides) await setup.replicas[side].forward(services(count))
  }
  return {
    recordings: {
      ours: { own: await ours.own(), rules: rules.ours },
      upstream: { own: await upstream.own(), rules: rules.upstream },
    },
    sections: [
      {
        title: 'Adding services with iptables',
        against: 'upstream',
        rows: adding,
        note:
          'Both agents as replicas of a ProxyGroup, with an API server; each service has one TCP port and a target of its ' +
          'own. One more: from mounting the file, as kubelet does, until a client in the cluster, which tries each ' +
          `millisecond, reaches a peer through the added service; medians of ${more.times} times. The other rows: until the ` +
          'status in the Secret lists all, and 0.3 s, once.',
      },
      {
        title: 'Egress end to end with iptables',
        against: 'upstream',
        rows: through,
        note: `${pathOf('so many services and the two that are measured')} ${measuresOf(endToEnd)}`,
      },
    ],
  }
}

/** Makes the client a router for all targets: our agent forwards to no address that nothing in the tailnet has. */
async function routeTargets(bed: EgressBed): Promise<void> {
  await bed.control.putSettings({ autoApproveRoutes: true })
  await bed.host('client').exec(['tailscale', 'set', `--advertise-routes=${targets}`])
}

const ms = { unit: 'ms', better: 'less' } as const

async function growTo({ replicas }: Setup, count: number, note: (detail: string) => void): Promise<Omit<Row, 'what'>> {
  const took = await alternate(sides, 1, async (side) => {
    note(side)
    const begun = performance.now()
    await replicas[side].forward(services(count))
    return performance.now() - begun
  })
  return { ...ms, ours: took.ours, other: took.upstream }
}

/** How soon one service more carries connections. It is removed again. */
async function addOne(
  { bed, probe, replicas }: Setup,
  list: readonly Service[],
  one: Service,
  { repeats, times }: AgentsSize['more'],
  note: (detail: string) => void,
): Promise<Row> {
  const grown = [...list, one]
  const echo = await probe.serve(bed.host('client'), targetPort, false)
  const took = await alternate(sides, repeats, async (side, repeat) => {
    note(`one more, ${side}, ${repeat + 1} of ${repeats}`)
    const replica = replicas[side]
    const each: number[] = []
    for (let n = 0; n < times; n += 1) {
      const to = { to: replica.address, port }
      each.push((await arrivalAfter(bed.host('app'), to, () => replica.mount(grown))).took)
      await replica.listed(grown)
      await replica.forward(list)
    }
    return median(each)
  })
  await echo.stop()
  return { ...ms, what: `${title(list.length)}, one more`, ours: took.ours, other: took.upstream }
}
