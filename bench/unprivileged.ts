import { readdirSync } from 'node:fs'
import type { Progress } from '../test/lab/progress.ts'
import { childrenOf } from '../test/lab/namespaces/procs.ts'
import { alternate } from './alternate.ts'
import { echoPort, program, startBackend } from './backend.ts'
import { backendAddress, type BenchBed, startBenchBed } from './bench-bed.ts'
import { crowd, measureConnections } from './connections.ts'
import type { Contestant } from './contestant.ts'
import { measureDatagrams, window } from './datagrams.ts'
import { processorTime, programOf } from './egress/processor-time.ts'
import { inBed } from './in-bed.ts'
import { Pair, sides, type Side } from './pair.ts'
import { memoryOf } from './process-memory.ts'
import type { Proxy } from './proxy.ts'
import { bytes, measureRoundTrips } from './round-trip.ts'
import type { Row, Section } from './section.ts'
import type { Size } from './size.ts'
import { directions, omitted, stream } from './throughput.ts'

/** How TCP goes without privilege: tailscaled connects to the only backend itself, or to the agent's relay. */
const setups = {
  direct: (bed: BenchBed) => backendAddress(bed, 'v4'),
  // With two addresses it is the relay; that chooses IPv4 first, and so do the rules for clients with IPv4.
  'by the relay': (bed: BenchBed) => `${backendAddress(bed, 'v4')},${backendAddress(bed, 'v6')}`,
} as const

const iperfPort = 5201

/** As many UDP clients as the agent has at once. */
const count = 10_000

/** The number of progress steps of `measureUnprivileged`. */
export const unprivilegedSteps = 2 + 5 * Object.keys(setups).length

/** L3 ingress of listed ports by our agent, without privilege and in kernel mode beside it, in a bed of its own. */
export async function measureUnprivileged(agent: Contestant, size: Size, steps: Progress): Promise<Section[]> {
  return await inBed(
    steps.step('start the tailnet', () => startBenchBed()),
    async (bed) => {
      await startBackend(bed)
      const traffic: Row[] = []
      const memory = await steps.step('memory for UDP', () => measureSessions(bed, agent))
      for (const [how, targets] of Object.entries(setups)) {
        const contestants = both(agent, targets(bed))
        await using pair = await steps.step(`start both, ${how}`, () => Pair.start(bed, contestants, 'v4'))
        const measures = [
          ['throughput', () => measureCost(bed, pair, size.throughput)],
          ['round trips', (note) => measureRoundTrips(bed, pair, size.roundTrips, note)],
          ['connections', (note) => measureConnections(bed, pair, size.connections, note)],
          ['datagrams', (note) => measureDatagrams(bed, pair, size.connections, note)],
        ] as const satisfies [string, (note: (detail: string) => void) => Promise<Row[]>][]
        for (const [title, measure] of measures) {
          const rows = await steps.step(`${title}, ${how}`, measure)
          traffic.push(...rows.map((row) => ({ ...row, what: `${how}, ${title}: ${row.what}` })))
        }
        memory.push(...memoryRows(`after the traffic, ${how}`, await memoryOfAll(pair)))
      }
      return sections(traffic, memory, size)
    },
  )
}

/** Each in a host of its own. */
function both(agent: Contestant, targets: string): Record<Side, Contestant> {
  const ports = ['tcp', 'udp'].map((protocol) => `${protocol}/${echoPort},${protocol}/${iperfPort}`).join()
  const env = { TS_DEST_IP: targets, CULVERT_DEST_PORTS: ports }
  return {
    ours: { ...agent, name: 'ours', env: { ...env, TS_USERSPACE: 'true' } },
    upstream: { ...agent, name: 'upstream', env },
  }
}

/** TCP throughput in both directions, and what agent and tailscaled need for it. */
async function measureCost(bed: BenchBed, pair: Pair, { repeats, seconds }: Size['throughput']): Promise<Row[]> {
  const rows: Row[] = []
  for (const { title, flags } of directions) {
    const took = await alternate(sides, repeats, async (side) => {
      const { pid } = pair.proxies[side].process
      const before = processorTime(pid)
      const rate = await stream(bed.host('client'), pair.address[side], seconds, flags)
      // The part that iperf3 leaves out costs the same.
      const gigabits = (rate / 1000) * (seconds + omitted)
      return { rate, cost: (processorTime(pid) - before) / gigabits }
    })
    const values = (key: 'rate' | 'cost') => ({
      ours: took.ours.map((one) => one[key]),
      other: took.upstream.map((one) => one[key]),
    })
    rows.push({ what: title, unit: 'Mb/s', better: 'more', ...values('rate') })
    rows.push({ what: `${title}, CPU`, unit: 'ms/Gb', better: 'less', ...values('cost') })
  }
  return rows
}

type Both = Readonly<Record<'agent' | 'tailscaled', number>>

/** MiB of the processes of both sides. */
async function memoryOfAll({ proxies }: Pair): Promise<Record<Side, Both>> {
  return { ours: await memoryOfBoth(proxies.ours), upstream: await memoryOfBoth(proxies.upstream) }
}

/** The memory of both sides, idle, and while `count` clients have a UDP session. */
async function measureSessions(bed: BenchBed, agent: Contestant): Promise<Row[]> {
  await using pair = await Pair.start(bed, both(agent, setups.direct(bed)), 'v4')
  const idle = await memoryOfAll(pair)
  const measured = {} as Record<Side, Both>
  for (const side of sides) {
    const settings = JSON.stringify({ to: pair.address[side], port: echoPort, count })
    const clients = await bed.host('client').spawn([process.execPath, program('sessions.ts'), settings])
    await clients.line(/^ready$/)
    const proxy = pair.proxies[side]
    if (side === 'ours' && openFiles(proxy.process.pid) < count) {
      throw new Error(`the agent did not keep ${count} sessions; may it open twice as many files (ulimit -n)?`)
    }
    measured[side] = await memoryOfBoth(proxy)
    await clients.stop()
  }
  return [...memoryRows('idle', idle), ...memoryRows(`${count} UDP clients`, measured)]
}

const memoryRows = (title: string, { ours, upstream }: Readonly<Record<Side, Both>>): Row[] =>
  (['agent', 'tailscaled'] as const).map((who) => ({
    what: `${title}: ${who}`,
    unit: 'MiB',
    better: 'less',
    ours: [ours[who]],
    other: [upstream[who]],
  }))

async function memoryOfBoth({ process: { pid } }: Proxy): Promise<Both> {
  const daemon = childrenOf(pid).find((child) => programOf(child) === 'tailscaled')
  if (daemon === undefined) throw new Error('the agent has no tailscaled')
  const of = async (id: number, name: string): Promise<number> => (await memoryOf({ pid: id, name })).resident
  return { agent: await of(pid, 'agent'), tailscaled: await of(daemon, 'tailscaled') }
}

const openFiles = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length

function sections(
  traffic: readonly Row[],
  memory: readonly Row[],
  { throughput, roundTrips, connections }: Size,
): Section[] {
  const sidesOfAll = { ours: 'without privilege', against: 'kernel mode' }
  return [
    {
      title: 'L3 ingress without privilege',
      ...sidesOfAll,
      rows: traffic,
      note:
        'Both sides are our agent with `CULVERT_DEST_PORTS`, `TS_USERSPACE=true` or `false`, over IPv4. “direct”: one ' +
        'backend; “by the relay”: TCP goes through the agent, too, as with several backends. UDP always does. ' +
        `Throughput: iperf3, one stream, ${throughput.seconds} s; CPU: of agent and tailscaled together, without what the ` +
        `kernel does by itself. Round trips: messages of ${bytes} bytes, one at a time, ${roundTrips.seconds} s. ` +
        `Connections: ${crowd} at a time, one byte each; datagrams: ${window} of ${bytes} bytes at a time; each for ` +
        `${connections.seconds} s.`,
    },
    {
      title: 'Memory of L3 ingress without privilege',
      ...sidesOfAll,
      rows: memory,
      note:
        'VmRSS of each process; “traffic” is that of the table above. In kernel mode the kernel forwards, and tracks these ' +
        'clients, in memory that is not counted here.',
    },
  ]
}
