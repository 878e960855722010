import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { keepMounted } from '../../../agent/mounted/keep.ts'
import { timings } from '../../../agent/world/timings.ts'
import type { Context } from '../../../agent/world/context.ts'
import type { OwnStore } from '../../../agent/world/store.ts'
import type { World } from '../../../agent/world/world.ts'
import { writeVolume } from '../../lib/kubelet-volume.ts'
import { aContext } from '../a-context.ts'
import { aWorld } from '../a-world.ts'

let parent: string
let egressDirectory: string
let servicesFile: string
let pingsFile: string
let ingressFile: string
let stop: AbortController
let context: Context
let store: OwnStore
let seen: World[]
let lines: string[]

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'culvert-mounted-'))
  egressDirectory = join(parent, 'egress')
  servicesFile = join(egressDirectory, 'egress-services')
  pingsFile = join(egressDirectory, 'hep-pings')
  ingressFile = join(parent, 'ingress', 'services.json')
  ;({ context, store, lines, stop } = aContext(aWorld(), { timings }))
  seen = []
  store.watch(() => seen.push(store.world), stop.signal)
})
afterEach(async () => {
  stop.abort()
  await rm(parent, { recursive: true })
})

/** Follows the egress directory, and the ingress file if given. */
const follow = (path?: string): Promise<void> => keepMounted(context, { egressDirectory, ingressFile: path })

/** An egress document whose services have one target port. */
const toPort = (targetPort: number, names = ['a', 'b']): string =>
  JSON.stringify(
    Object.fromEntries(
      names.map((name, index) => [
        name,
        { tailnetTarget: { ip: '100.64.0.9' }, ports: [{ protocol: 'TCP', matchPort: 10_000 + index, targetPort }] },
      ]),
    ),
  )
/** The distinct target ports of the services. */
const portsIn = (world: World): number[] => [
  ...new Set(
    [...(world.mounted.egressServices?.content?.services.values() ?? [])].flatMap(({ ports }) =>
      ports.map(({ targetPort }) => targetPort),
    ),
  ),
]
const often = { interval: 10 }
const leadsTo = (...ports: number[]): Promise<void> =>
  expect
    .poll(() => ({ ports: portsIn(store.world), rejected: store.world.mounted.egressServices?.rejected }), often)
    .toEqual({
      ports,
      rejected: undefined,
    })
/** The services keep `port`, and the file is rejected for `reason`. */
const stays = async (port: number, reason: RegExp): Promise<void> => {
  await expect.poll(() => store.world.mounted.egressServices?.rejected, often).toMatch(reason)
  expect(portsIn(store.world)).toEqual([port])
}

it('has read each file when it resolves, and follows them from then on', async () => {
  await writeVolume(egressDirectory, { 'egress-services': toPort(1), 'hep-pings': '9\n' })
  await writeVolume(join(parent, 'ingress'), {
    'services.json': JSON.stringify({ 'svc:a': { IPv4Mapping: { TailscaleServiceIP: '', ClusterIP: '10.96.0.7' } } }),
  })
  await follow(ingressFile)
  expect(portsIn(store.world)).toEqual([1])
  expect(store.world.mounted.healthPings).toEqual({ content: 9 })
  expect([...(store.world.mounted.ingressServices?.content?.services.keys() ?? [])]).toEqual(['svc:a'])
  await writeVolume(egressDirectory, { 'egress-services': toPort(2), 'hep-pings': '3' })
  await writeVolume(join(parent, 'ingress'), { 'services.json': '{}' })
  await leadsTo(2)
  await expect.poll(() => store.world.mounted.healthPings, often).toEqual({ content: 3 })
  await expect.poll(() => store.world.mounted.ingressServices?.content?.services.size, often).toBe(0)
  expect(lines).toEqual([])
})

it('follows nothing when nothing is mounted', async () => {
  const nowhere = { egressDirectory: undefined, ingressFile: undefined }
  const before = store.world
  await keepMounted(context, nowhere)
  expect(store.world).toBe(before)
  expect(store.world.mounted).toEqual({})
})

it('applies the newest of a burst of changes, and never a partial one', async () => {
  await writeVolume(egressDirectory, { 'egress-services': toPort(1) })
  await follow()
  const names = Array.from({ length: 200 }, (_, index) => `s${index}`)
  const applied = () => new Set(seen.map((world) => portsIn(world)[0])).size
  // As fast as possible, until some were applied during it: a burst does not block applying.
  let swaps = 0
  for (; swaps < 100 || applied() < 4; swaps += 1) {
    await writeVolume(egressDirectory, { 'egress-services': toPort(swaps + 1, names), 'hep-pings': `${swaps % 1000}` })
  }
  await leadsTo(swaps)
  await expect.poll(() => store.world.mounted.healthPings?.content, often).toBe((swaps - 1) % 1000)
  expect(seen.filter(({ mounted }) => mounted.egressServices?.rejected !== undefined)).toEqual([])
  expect(Math.max(...seen.map((world) => portsIn(world).length))).toBe(1)
})

it('keeps the last good content while a file is overwritten repeatedly, at times incompletely', async () => {
  await mkdir(egressDirectory)
  await writeFile(servicesFile, toPort(1))
  await follow()
  const states = ['', toPort(7).slice(0, 40), 'hello', toPort(2)]
  const began = performance.now()
  for (let change = 0; change < 200; change += 1) {
    await writeFile(servicesFile, states[change % states.length] ?? '')
    await sleep(Math.max(0, began + change * 20 - performance.now()))
  }
  await leadsTo(2)
  expect(new Set(seen.flatMap(portsIn))).toEqual(new Set([1, 2]))
  const first = seen.findIndex((world) => portsIn(world).length > 0)
  expect(seen.slice(first).every((world) => portsIn(world).length === 1)).toBe(true)
  expect(lines.length).toBeLessThan(10)
})

it('reports a file that is bad as a whole, keeps the last good content, and logs when all is good again', async () => {
  await mkdir(egressDirectory)
  await writeFile(servicesFile, toPort(1))
  await follow()
  // Renamed into place, so that it is read as a whole: its beginning alone would be valid.
  const putLarge = async () => {
    await writeFile(`${servicesFile}.new`, toPort(2).padEnd(10_000_000))
    await rename(`${servicesFile}.new`, servicesFile)
  }
  const bad: [what: string, change: () => Promise<unknown>, reason: RegExp][] = [
    ['empty', () => writeFile(servicesFile, ' \n'), /egress-services: it is empty \(write {} to remove all\)$/],
    [
      'half',
      () => writeFile(servicesFile, toPort(2).slice(0, -9)),
      /: it is not JSON, perhaps only half written: .*position/,
    ],
    ['no JSON', () => writeFile(servicesFile, 'services:\n  a: 1'), /: it is not JSON.* is not valid JSON$/],
    ['a list', () => writeFile(servicesFile, '[]'), /: it is not a JSON object$/],
    ['10 MB', putLarge, /has 10000000 bytes, and at most 1048576/],
    ['absent', () => rm(servicesFile), /egress-services: it is absent \(write {} to remove all\)$/],
    ['a pipe', async () => execFileSync('mkfifo', [servicesFile]), /: it cannot be read: it is no regular file$/],
    ['without a directory', () => rename(egressDirectory, `${egressDirectory}-2`), /it is absent/],
  ]
  for (const [, change, reason] of bad) {
    await change()
    await stays(1, reason)
  }
  await mkdir(egressDirectory)
  await writeFile(servicesFile, toPort(3))
  await expect.poll(() => portsIn(store.world)).toEqual([3])
  const reported = lines.filter((line) => line.includes('egress-services'))
  expect(reported).toHaveLength(bad.length)
  for (const line of reported.slice(0, -1)) expect(line).toMatch(/^warning: .*; the last good one stays in use$/)
  expect(reported.at(-1)).toBe('egress-services is good again')
  await writeFile(servicesFile, '{}')
  await leadsTo()
})

it('rejects only the bad entry, and keeps its last good version', async () => {
  await writeVolume(egressDirectory, { 'egress-services': toPort(1) })
  await follow()
  const document = JSON.parse(toPort(2)) as Record<string, { tailnetTarget: object }>
  await writeVolume(egressDirectory, {
    'egress-services': JSON.stringify({ ...document, a: { ...document['a'], tailnetTarget: { ip: '100.64' } } }),
  })
  await leadsTo(1, 2)
  await writeVolume(egressDirectory, { 'egress-services': toPort(3) })
  await leadsTo(3)
  expect(lines).toEqual([
    'warning: egress-services: a, tailnetTarget.ip: "100.64" is not an IP address',
    'egress-services is good again',
  ])
})

it('takes an absent or empty file at the start as no configuration, also without its directory', async () => {
  await mkdir(join(parent, 'ingress'))
  await writeFile(ingressFile, '')
  await follow(ingressFile)
  const nothing = { content: { services: new Map(), rejections: [] } }
  expect(store.world.mounted).toMatchObject({
    egressServices: nothing,
    healthPings: { content: 0 },
    ingressServices: nothing,
  })
  await writeVolume(egressDirectory, { 'egress-services': toPort(1) })
  await expect.poll(() => portsIn(store.world)).toEqual([1])
  expect(lines).toEqual([expect.stringMatching(/egress cannot be watched, so it is re-read.*ENOENT/)])
})

it('has no configuration until a file has been good, and says why', async () => {
  await mkdir(egressDirectory)
  await writeFile(servicesFile, 'x')
  await follow()
  expect(store.world.mounted.egressServices).toEqual({
    content: undefined,
    rejected: expect.stringMatching(/it is not JSON/) as string,
  })
  expect(lines).toEqual([expect.stringMatching(/^warning: .*is not valid JSON$/)])
  await rm(servicesFile)
  await leadsTo()
  await writeFile(servicesFile, toPort(1))
  await leadsTo(1)
})

it('keeps the last good number of pings', async () => {
  await mkdir(egressDirectory)
  await writeFile(pingsFile, ' 4\n')
  await follow()
  expect(store.world.mounted.healthPings).toEqual({ content: 4 })
  for (const text of ['-1', '1.5', 'many', '9'.repeat(30), '1001', '\n']) {
    await writeFile(pingsFile, text)
    const reason =
      text === '\n' ? /it is empty \(write 0/ : /"(-1|1\.5|many|9+|1001)" is no whole number from 0 to 1000$/
    await expect.poll(() => store.world.mounted.healthPings?.rejected, often).toMatch(reason)
    expect(store.world.mounted.healthPings?.content).toBe(4)
    await writeFile(pingsFile, '4')
    await expect.poll(() => store.world.mounted.healthPings, often).toEqual({ content: 4 })
  }
})

it('publishes nothing while nothing differs, nor after it is stopped', async () => {
  await writeVolume(egressDirectory, { 'egress-services': toPort(1) })
  await follow()
  const published = new Set([store.world.mounted.egressServices])
  store.watch(() => published.add(store.world.mounted.egressServices), stop.signal)
  await writeVolume(egressDirectory, { 'egress-services': toPort(1) })
  await sleep(300)
  await writeVolume(egressDirectory, { 'egress-services': toPort(2) })
  await leadsTo(2)
  expect(published.size).toBe(2)
  const last = store.world
  stop.abort()
  await writeVolume(egressDirectory, { 'egress-services': toPort(3) })
  await sleep(300)
  expect(store.world).toBe(last)
})
