import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Deletion, planDeletions } from '../../netfilter/deletions.ts'
import { classifyFlows, type Flow } from '../../netfilter/flows.ts'
import { byFamily, emptyTable, type ForwardingTable, type PortKey } from '../../netfilter/table.ts'
import { randomTable } from './random-table.ts'
import { egressTable, source } from './tables.ts'

const pod = { 4: '10.0.0.5', 6: 'fd00::5' } as const

const flow = (change: Partial<Flow>): Flow => ({
  family: 4,
  protocol: 'tcp',
  destination: pod[4],
  port: 10_000,
  answeredBy: '100.64.0.2',
  answeredFrom: 443,
  answeredTo: source[4],
  closed: false,
  ...change,
})

const many = (count: number, make: (n: number) => Partial<Flow>): Flow[] =>
  Array.from({ length: count }, (_, n) => flow(make(n)))

const planned = (ended: readonly Flow[], kept: readonly Flow[] = [], table = emptyTable): string[] =>
  planDeletions({ flows: [...kept, ...ended], ended, table }).map((deletion) => deletion.join(' '))

describe('planDeletions', () => {
  it('one deletion ends one service, however many ports, protocols and clients it has', () => {
    const ended = many(1000, (n) => ({ port: 10_000 + n, protocol: n % 2 > 0 ? 'tcp' : 'udp' }))
    expect(planned(ended)).toEqual(['-f ipv4 --orig-dst 10.0.0.5 --reply-src 100.64.0.2'])
  })

  it('one deletion ends many services', () => {
    const ended = many(1000, (n) => ({ answeredBy: `100.72.${n >> 8}.${n & 255}` }))
    expect(planned(ended)).toEqual(['-f ipv4 --orig-dst 10.0.0.5 --reply-dst 100.64.0.1'])
  })

  it('one deletion ends many Tailscale Services', () => {
    const ended = many(1000, (n) => ({
      destination: `100.72.${n >> 8}.${n & 255}`,
      answeredBy: `10.1.${n >> 8}.${n & 255}`,
      answeredTo: pod[4],
    }))
    expect(planned(ended)).toEqual(['-f ipv4 --orig-dst 100.64.0.0/10 --reply-dst 10.0.0.5'])
  })

  it('few flows are deleted one by one', () => {
    const ended = many(4, (n) => ({ answeredBy: `100.72.0.${n}` }))
    expect(planned(ended)).toEqual(
      ended.map(({ answeredBy }) => `-f ipv4 --orig-dst 10.0.0.5 --reply-src ${answeredBy}`),
    )
  })

  it('no common deletion if it would end a flow of another program', () => {
    const ended = many(9, (n) => ({ answeredBy: `100.72.0.${n}` }))
    const foreign = flow({ answeredBy: '100.72.1.1' })
    expect(planned(ended, [foreign])).toHaveLength(9)
  })

  it('no common deletion if it would end a flow of a mapping that stays, or one that may begin', () => {
    const ended = many(9, (n) => ({ protocol: 'udp', port: n }))
    expect(planned(ended, [flow({})])).toHaveLength(9)
    expect(planned(ended, [], egressTable([['tcp . 10000', '100.64.0.2 . 443']]))).toHaveLength(9)
    expect(planned(ended, [], egressTable([['tcp . 10000', '100.64.0.3 . 443']]))).toHaveLength(1)
  })

  it('a deletion distinguishes ports of the target', () => {
    const [ended, kept] = [flow({ protocol: 'udp' }), flow({ protocol: 'udp', answeredFrom: 53 })]
    expect(planned([ended], [kept])).toEqual([
      '-f ipv4 --orig-dst 10.0.0.5 -p udp --orig-port-dst 10000 --reply-src 100.64.0.2 --reply-port-src 443 --reply-dst 100.64.0.1',
    ])
  })

  it('untranslated flows are deleted port by port, since others are untranslated, too', () => {
    const untranslated = { protocol: 'udp', answeredBy: pod[4], answeredTo: '10.0.0.7' }
    expect(planned(many(9, (n) => ({ ...untranslated, port: n, answeredFrom: n })))).toHaveLength(9)
  })

  it('spares flows to the Pod itself if a protocol has no name', () => {
    const untranslated = { answeredBy: pod[4], answeredTo: '10.0.0.7', port: undefined, answeredFrom: undefined }
    expect(planned([flow({ ...untranslated, protocol: '99' })])).toEqual([
      '-f ipv4 --orig-dst 10.0.0.5 -p 99 --reply-src 10.0.0.5',
    ])
  })

  it('exactly the given flows are deleted, and none that stays or may begin', () => {
    fc.assert(
      fc.property(
        randomTable,
        randomTable,
        fc.boolean(),
        fc.infiniteStream(fc.nat(1000)),
        (before, next, stop, stream) => {
          const table = stop ? emptyTable : next
          const pick = <T>(list: readonly T[]): T | undefined => list[(stream.next().value ?? 0) % list.length]
          const known = { own: keysOf(before.own), targets: keysOf(before.targets) }
          const flows = ([4, 6] as const).flatMap((family) => [
            ...Array.from({ length: 20 }, () => randomFlow(family, [before, next], pick)),
            ...newFlows(before, family),
          ])
          const begins = ([4, 6] as const).flatMap((family) => newFlows(table, family))
          const facts = { known, table, isGone: () => true, local: new Set<string>(Object.values(pod)) }
          const ended = new Set(classifyFlows(flows, facts).ended)
          const deletions = planDeletions({ flows, ended: [...ended], table })
          for (const one of flows) {
            expect(deletions.some((deletion) => matches(deletion, one))).toBe(ended.has(one))
          }
          for (const one of begins) {
            // What differs from an ended flow only in the client cannot be spared.
            if (![...ended].some((gone) => isAlike(gone, one)))
              expect(deletions.filter((deletion) => matches(deletion, one))).toEqual([])
          }
        },
      ),
      { numRuns: 300 },
    )
  })
})

const told = ['family', 'protocol', 'destination', 'port', 'answeredBy', 'answeredFrom', 'answeredTo'] as const
const isAlike = (one: Flow, other: Flow): boolean => told.every((field) => one[field] === other[field])

const keysOf = (sets: ForwardingTable['own']) => byFamily((family) => new Set(sets[family].keys()))

/** One flow for each translation of a table. */
function newFlows(table: ForwardingTable, family: 4 | 6): Flow[] {
  const inward = [...table.ingress[family]].flatMap(([destination, backends]) =>
    backends.map((answeredBy) => flow({ family, destination, answeredBy, port: 80, answeredTo: pod[family] })),
  )
  const byPort = table.ingressByPort[family]
  const listed = (byPort?.ports ?? []).flatMap(({ protocol, last, to = last }) =>
    byPort!.addresses.flatMap((destination) =>
      byPort!.backends.map((answeredBy) =>
        flow({ family, protocol, destination, answeredBy, port: last, answeredFrom: to, answeredTo: pod[family] }),
      ),
    ),
  )
  const outward = [...table.ports[family]].map(([key, target]) => {
    const [protocol = '', port] = key.split(' . ')
    const [answeredBy = '', from] = target.split(' . ')
    const answeredTo = table.source[family] ?? ''
    const ports = { port: Number(port), answeredFrom: Number(from) }
    return flow({ family, protocol, destination: pod[family], answeredBy, answeredTo, ...ports })
  })
  return [...inward, ...listed, ...outward]
}

/** A random flow between addresses of the tables, the Pod and others. */
function randomFlow(
  family: 4 | 6,
  tables: readonly ForwardingTable[],
  pick: <T>(list: readonly T[]) => T | undefined,
): Flow {
  const other = family === 4 ? '10.9.9.9' : 'fd09::9'
  const addresses = [pod[family], other, ...tables.flatMap((table) => [...table.own[family].keys()])]
  const targets = tables.flatMap((table) => [...table.targets[family].keys(), table.source[family] ?? other])
  const keys = tables.flatMap((table) => [...table.ports[family].keys()] as PortKey[])
  const [protocol = 'tcp', port = '80'] = pick(keys)?.split(' . ') ?? []
  const destination = pick(addresses) ?? other
  return flow({
    family,
    protocol: pick([protocol, protocol, 'udp']) ?? protocol,
    destination,
    port: Number(port),
    answeredBy: pick([destination, other, ...targets]) ?? other,
    answeredTo: pick([other, pod[family], ...targets]) ?? other,
  })
}

/** Whether `conntrack -D` with these arguments would delete the flow. */
function matches(deletion: Deletion, one: Flow): boolean {
  const { family, protocol, destination, port, answeredBy, answeredFrom, answeredTo } = one
  const inTailnet = { 'fd7a:115c:a1e0::/48': /^fd7a:115c:a1e0:/, '100.64.0.0/10': /^100\.64\./ }
  const tests: Record<string, (value: string) => boolean> = {
    '-f': (value) => value === `ipv${family}`,
    '-p': (value) => value === protocol,
    '--orig-dst': (value) => Object(inTailnet)[value]?.test(destination) ?? value === destination,
    '--orig-port-dst': (value) => value === String(port),
    '--reply-src': (value) => value === answeredBy,
    '--reply-port-src': (value) => value === String(answeredFrom),
    '--reply-dst': (value) => value === answeredTo,
  }
  return deletion.every((name, index) => index % 2 > 0 || tests[name]?.(deletion[index + 1] ?? '') === true)
}
