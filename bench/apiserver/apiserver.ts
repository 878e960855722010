import { parseAddress, withPort } from '../../lib/address.ts'
import { configMaps } from '../../operator/objects/resources.ts'
import { ApiServerBed, devs } from '../../test/e2e/apiserver-bed.ts'
import { ApiBed, never } from '../../test/kube/controller/api-bed.ts'
import type { Progress } from '../../test/lab/progress.ts'
import { alternate } from '../alternate.ts'
import { program } from '../backend.ts'
import { inBed } from '../in-bed.ts'
import { type Memory, memoryRows } from '../process-memory.ts'
import type { Row, Section } from '../section.ts'
import { median, quantile } from '../stats.ts'
import { collection, eventsOf, memoryOfWatches, name, type Note } from './watches.ts'
import { type Way, Ways, ways } from './ways.ts'

export type ApiServerSize = {
  readonly repeats: number
  /** Of requests. */
  readonly seconds: number
  /** Watches at once, and events of each. */
  readonly watches: number
  readonly events: number
  /** Watches that are kept open while memory is looked at. */
  readonly open: number
  /** MiB that a command in a container prints. */
  readonly session: number
}

/** The number of progress steps of `measureApiServer`. */
export const apiServerSteps = 8

/** Watches that are open through Tailscale's: a process may have 20,000 open files on many machines. */
const mostOfTheirs = 5000

/** The API server proxy beside no proxy at all, and beside Tailscale’s. */
export async function measureApiServer(size: ApiServerSize, steps: Progress): Promise<Section[]> {
  const memory = await inItsBed(steps, (all) =>
    steps.step('memory of open watches', async (note) => ({
      ours: await memoryOfWatches(all, 'ours', size.open, note),
      upstream: await memoryOfWatches(all, 'upstream', Math.min(size.open, mostOfTheirs), note),
    })),
  )
  return await inItsBed(steps, (all, kube) => measure(all, kube, memory, size, steps))
}

async function inItsBed<T>(steps: Progress, run: (all: Ways, kube: ApiBed) => Promise<T>): Promise<T> {
  const started = steps.step('start a tailnet and a cluster with an API server proxy', () => ApiServerBed.start())
  return await inBed(
    started.then(({ bed }) => bed),
    async () => {
      const its = await started
      await using kube = await ApiBed.start(its.bed)
      const all = await Ways.open(its, kube.token)
      await kube.direct.create(configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: name }, never)
      return await run(all, kube)
    },
  )
}

type Of<Value> = Readonly<Record<Way, readonly Value[]>>

async function measure(
  all: Ways,
  kube: ApiBed,
  memory: Readonly<Record<'ours' | 'upstream', Memory>>,
  size: ApiServerSize,
  steps: Progress,
): Promise<Section[]> {
  const each = <Value>(note: Note, one: (way: Way) => Promise<Value>): Promise<Of<Value>> =>
    alternate(ways, size.repeats, (way, repeat) => {
      note(`${way}, ${repeat + 1} of ${size.repeats}`)
      return one(way)
    })
  const kept = await steps.step('requests', (note) => each(note, (way) => gets(all, way, 'kept', size.seconds)))
  const fresh = await steps.step('new connections', (note) => each(note, (way) => gets(all, way, 'new', size.seconds)))
  const events = await steps.step('watches', (note) => each(note, (way) => eventsOf(all, kube, way, size)))
  const session = await steps.step('sessions', (note) => each(note, (way) => sessionRate(all, way, size.session)))
  const recorded = await steps.step('recorded sessions', (note) => recordedRates(all, size, note))

  const row = (what: string, unit: string, better: Row['better'], of: Of<number>, other: Way): Row => ({
    what,
    unit,
    better,
    ours: of.ours,
    other: of[other],
  })
  const picked = <From>(of: Of<From>, pick: (one: From) => number): Of<number> => ({
    ours: of.ours.map(pick),
    direct: of.direct.map(pick),
    upstream: of.upstream.map(pick),
  })
  const rows = (other: Way): Row[] => [
    row('a request, median', 'ms', 'less', picked(kept, median), other),
    row(
      'a request, p99',
      'ms',
      'less',
      picked(kept, (times) => quantile(times, 0.99)),
      other,
    ),
    row('a request over a new connection, median', 'ms', 'less', picked(fresh, median), other),
    row(
      `events of ${size.watches} watches`,
      '1/s',
      'more',
      picked(events, ({ rate }) => rate),
      other,
    ),
    row(
      'processor time of 1,000 events',
      'ms',
      'less',
      picked(events, ({ processor }) => processor),
      other,
    ),
    row('a session that prints', 'MiB/s', 'more', session, other),
  ]
  const perWatch = (way: 'ours' | 'upstream'): Memory[] => [memory[way]]
  return [
    {
      title: 'The API server proxy',
      against: 'no proxy',
      rows: rows('direct'),
      note:
        'From a device of the tailnet to the same node, whose tailscaled hands connections on to the proxy or to the API ' +
        'server itself; with impersonation; HTTP/2, and WebSocket for sessions of kubectl. A request gets an object of ' +
        '300 bytes. Processor time is that of proxy and tailscaled.',
    },
    {
      title: 'The API server proxy beside Tailscale’s',
      against: 'upstream',
      rows: [
        ...rows('upstream'),
        ...memoryRows(perWatch('ours'), perWatch('upstream'), `, for each of ${size.open} open watches (KiB)`).map(
          (one) => ({ ...one, unit: 'KiB' }),
        ),
      ],
      note:
        'As above. Tailscale’s speaks HTTP/1.1, has the tailnet in its own process, and is served by a Tailscale ' +
        `Service; memory is that of the process, for ours of proxy and tailscaled together. Its watches are ${mostOfTheirs} at ` +
        'most, since each takes three open files.',
    },
    {
      title: 'Recorded sessions',
      ours: 'recorded',
      against: 'unrecorded',
      rows: [{ what: 'a session that prints', unit: 'MiB/s', better: 'more', ours: recorded, other: session.ours }],
      note: 'Through our proxy; the recorder is a small program on a device of the tailnet that keeps nothing.',
    },
  ]
}

async function gets(all: Ways, way: Way, how: 'kept' | 'new', seconds: number): Promise<readonly number[]> {
  const settings = { ...all.address[way], way: how, seconds, path: `${collection}/${name.name}` }
  const { stdout } = await all.its.bed
    .host('alice')
    .exec([process.execPath, program('api-load.ts'), JSON.stringify(settings)])
  return (JSON.parse(stdout) as { times: number[] }).times
}

/** MiB a second, while a command in a container prints. */
async function sessionRate(all: Ways, way: Way, size: number): Promise<number> {
  const { host, port, servername, ca, token } = all.address[way]
  const alice = all.its.bed.host('alice')
  const flags = [
    `--server=https://${host}:${port}`,
    `--tls-server-name=${servername}`,
    `--certificate-authority=${ca}`,
    `--token=${token}`,
  ]
  const print = (bytes: number) => ['exec', 'app', '--', 'sh', '-c', `yes 'a line of a session' | head -c ${bytes}`]
  const took = async (bytes: number): Promise<number> => {
    const begun = performance.now()
    await alice.exec(['sh', '-c', 'kubectl "$@" > /tmp/printed', 'kubectl', ...flags, ...print(bytes)])
    return (performance.now() - begun) / 1000
  }
  // What kubectl and the start of a command take is not part of it.
  const empty = await took(1)
  return size / ((await took(size * mebibyte)) - empty)
}
const mebibyte = 1024 * 1024

const recorder = `
  const server = require('http2').createServer()
  server.on('stream', (stream) => {
    stream.respond({ ':status': 200 })
    stream.on('end', () => stream.end()).resume()
  })
  server.listen(80, () => console.log('ready'))`

async function recordedRates(all: Ways, { repeats, session }: ApiServerSize, note: Note): Promise<number[]> {
  const { its } = all
  const robot = its.bed.host('robot')
  const { addresses } = await its.bed.control.node('robot')
  const recorderAddrs = addresses.map((text) => withPort(parseAddress(text)!, 80))
  const started = await robot.spawn([process.execPath, '--eval', recorder], { name: 'recorder' })
  await started.line(/^ready$/)
  const rule = { recorderAddrs, enforceRecorder: true }
  await its.grant([...devs, { app: { 'tailscale.com/cap/kubernetes': [rule] } }])
  const rates: number[] = []
  for (let repeat = 0; repeat < repeats; repeat += 1) {
    note(`recorded, ${repeat + 1} of ${repeats}`)
    rates.push(await sessionRate(all, 'ours', session))
  }
  return rates
}
