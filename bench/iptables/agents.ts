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

/** The IPv4 rules that an agent made, as `iptables-save` lists them, by the number of services. */
export type Recording = { readonly own: string; readonly rules: ReadonlyMap<number, string> }

export type MeasuredAgents = {
  readonly recordings: Readonly<Record<Side, Recording>>
  readonly sections: readonly Section[]
}

/** The port of the services that are added to those of `services`. */
const port = firstPort - 1

/** Both agents with more and more services: what they add, and what passes through both tailscaleds. */
export async function measureAgents(
  bed: EgressBed,
  all: Readonly<Record<Side, Contestant>>,
  probe: Probe,
  { more, endToEnd }: AgentsSize,
  note: (detail: string) => void,
): Promise<MeasuredAgents> {
  const live = servicesTo(await tailnetAddress(bed, 'client'), port)
  const one = live[0]!
  note('start both')
  await routeTargets(bed)
  const withRoutes = (one: Contestant): Contestant => ({
    ...one,
    env: { ...one.env, TS_EXTRA_ARGS: `--login-server=${bed.controlUrl} --accept-routes` },
  })
  await using ours = await Replica.start(bed, 'ours', withRoutes(all.ours), services(1))
  await using upstream = await Replica.start(bed, 'upstream', withRoutes(all.upstream), services(1))
  const replicas = { ours, upstream }
  for (const side of sides) await directPath(bed.host('client'), await replicas[side].own())
  const rules: Record<Side, Map<number, string>> = { ours: new Map(), upstream: new Map() }
  const [adding, through]: [Row[], Row[]] = [[], []]
  let before = 1
  for (const count of counts) {
    const list = services(count)
    const grown = await alternate(sides, 1, async (side) => {
      note(`${title(count)}, ${side}`)
      const begun = performance.now()
      await replicas[side].forward(list)
      const took = performance.now() - begun
      rules[side].set(count, (await bed.host(side).exec(['iptables-save'])).stdout)
      return took
    })
    const echo = await probe.serve(bed.host('client'), targetPort, false)
    const added = await alternate(sides, more.repeats, async (side, repeat) => {
      note(`one more than ${title(count)}, ${side}, ${repeat + 1} of ${more.repeats}`)
      const each: number[] = []
      for (let n = 0; n < more.times; n += 1) {
        each.push(await addOne(bed, replicas[side], list, one))
      }
      return median(each)
    })
    await echo.stop()
    const row = { unit: 'ms', better: 'less' } as const
    adding.push({ ...row, what: `${title(count)}, one more`, goal: 1.05, ours: added.ours, other: added.upstream })
    if (count > before) {
      adding.push({ ...row, what: `${title(count)} instead of ${before}`, ours: grown.ours, other: grown.upstream })
    }
    before = count
    for (const side of sides) await replicas[side].forward([...list, ...live])
    const rows = await throughReplicas({ bed, probe, replicas, port }, endToEnd, (detail) =>
      note(`${title(count)}, ${detail}`),
    )
    through.push(
      ...rows.map((it) => ({ ...it, what: `${title(count)}, ${it.what}`, goal: it.better === 'less' ? 1.05 : 0.95 })),
    )
    for (const side of sides) await replicas[side].forward(list)
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
          'Both agents as replicas of a ProxyGroup, with an API server. One more: from mounting the file, as kubelet does, ' +
          'until a client in the cluster, which tries each millisecond, reaches a peer through the added service; medians ' +
          `of ${more.times} times. The other rows: until the status in the Secret lists all, and 0.3 s, once each.`,
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

/** Milliseconds until one service more carries connections. It is removed again. */
async function addOne(bed: EgressBed, replica: Replica, list: readonly Service[], more: Service): Promise<number> {
  const grown = [...list, more]
  const took = await arrivalAfter(bed.host('app'), { to: replica.address, port }, () => replica.mount(grown))
  await replica.listed(grown)
  await replica.forward(list)
  return took
}
