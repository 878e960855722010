import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import type { RunCommand } from '../../lib/command.ts'
import { endFlows, listFlows } from '../../netfilter/conntrack.ts'
import type { Flow } from '../../netfilter/flows.ts'
import { emptyTable, type ForwardingTable } from '../../netfilter/table.ts'
import { type Bed, startBed } from '../lab/bed.ts'
import { runIn } from './run-in.ts'
import { egressTable } from './tables.ts'
import { type Line, track } from './track.ts'

// Deletions in a real kernel, of flows that were inserted as conntrack lists them.
let bed: Bed
let deletions: string[]
const runInNode = runIn(() => bed.host('node'))
const run: RunCommand = (program, args, options) => {
  if (args[0] === '-D') deletions.push(args.join(' '))
  return runInNode(program, args, options)
}

beforeAll(async () => {
  bed = await startBed({ hosts: { node: { network: 'cluster' } } })
})
afterAll(async () => bed.down())
beforeEach(async () => {
  await runInNode('conntrack', ['-F'])
  deletions = []
})

/** Ends the selected flows; returns those that are left. */
async function end(chosen: (flow: Flow) => boolean, table: ForwardingTable = emptyTable): Promise<string[]> {
  const flows = await listFlows(run)
  const ended = flows.filter(chosen)
  await endFlows(run, { flows, ended, table })
  const left = await listFlows(run)
  return left
    .map(({ protocol, destination, answeredBy, port }) => [protocol, destination, answeredBy, port].join(' '))
    .toSorted()
}

const translated = ({ destination, answeredBy }: Flow): boolean => destination !== answeredBy
const low = (n: number): string => `${n >> 8}.${n & 255}`

it('all translated flows end by one deletion per kind and family, and no other flow ends', async () => {
  const lines: Line[] = Array.from({ length: 300 }, (_, n): Line[] => [
    ['10.0.0.7', '10.0.0.5', `100.72.${low(n)}`, '100.64.0.1', 'tcp', 10_000 + n],
    ['fd00::7', 'fd00::5', `fd7a:115c:a1e0::${n + 10}`, 'fd7a:115c:a1e0::1', 'udp', 10_000 + n],
    ['100.64.0.9', `100.80.${low(n)}`, `10.1.${low(n)}`, '10.0.0.5', 'udp', 443],
    ['fd7a:115c:a1e0::9', `fd7a:115c:a1e0::1:${n}`, `fd01::${n}`, 'fd00::5', 'tcp', 443],
  ]).flat()
  const others: Line[] = [
    ['10.0.0.7', '10.0.0.5', '10.0.0.5', '10.0.0.7', 'tcp', 9002],
    ['100.64.0.9', '100.64.0.1', '100.64.0.1', '100.64.0.9', 'tcp', 9002],
    ['fd00::7', 'fd00::5', 'fd00::5', 'fd00::7', 'udp', 41_641],
    ['fd7a:115c:a1e0::9', 'fd7a:115c:a1e0::1', 'fd7a:115c:a1e0::1', 'fd7a:115c:a1e0::9', 'tcp', 9002],
  ]
  await track(bed.host('node'), [...lines, ...others])
  expect(await end(translated)).toEqual([
    'tcp 10.0.0.5 10.0.0.5 9002',
    'tcp 100.64.0.1 100.64.0.1 9002',
    'tcp fd7a:115c:a1e0::1 fd7a:115c:a1e0::1 9002',
    'udp fd00::5 fd00::5 41641',
  ])
  expect(deletions).toHaveLength(4)
})

it('flows that another program translates go on, and so does a mapping that stays', async () => {
  await track(bed.host('node'), [
    ...Array.from({ length: 20 }, (_, n): Line => [
      '10.0.0.7',
      '10.0.0.5',
      `100.72.0.${n}`,
      '100.64.0.1',
      'udp',
      10_000 + n,
    ]),
    ['10.0.0.7', '10.0.0.5', '100.72.0.1', '100.64.0.1', 'tcp', 10_001],
    ['10.0.0.7', '10.0.0.5', '100.72.9.9', '100.64.0.1', 'udp', 53],
  ])
  const table = egressTable([['tcp . 10001', '100.72.0.1 . 10001']])
  expect(await end(({ port, protocol }) => port !== 53 && protocol === 'udp', table)).toEqual([
    'tcp 10.0.0.5 100.72.0.1 10001',
    'udp 10.0.0.5 100.72.9.9 53',
  ])
})

it('flows of protocols without a name or port are deleted one by one', async () => {
  await track(bed.host('node'), [
    ['10.0.0.7', '10.0.0.5', '100.64.0.2', '100.64.0.1', '99'],
    ['10.0.0.8', '10.0.0.5', '10.0.0.5', '10.0.0.8', '99'],
    ['10.0.0.7', '10.0.0.5', '10.0.0.5', '10.0.0.7', 'tcp', 9002],
  ])
  expect(await end(({ protocol }) => protocol === '99')).toEqual(['tcp 10.0.0.5 10.0.0.5 9002'])
})

it('a flow that has ended meanwhile is not an error, but a wrong deletion is', async () => {
  await track(bed.host('node'), [['10.0.0.7', '10.0.0.5', '100.64.0.2', '100.64.0.1', 'tcp', 80]])
  const flows = await listFlows(run)
  await runInNode('conntrack', ['-F'])
  await endFlows(run, { flows, ended: flows, table: emptyTable })
  const broken = flows.map((flow) => ({ ...flow, answeredBy: 'nowhere' }))
  await expect(endFlows(run, { flows: broken, ended: broken, table: emptyTable })).rejects.toMatchObject({
    exitCode: 2,
  })
})
