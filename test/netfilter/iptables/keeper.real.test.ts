import * as fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { RunCommand } from '../../../lib/command.ts'
import { listFlows } from '../../../netfilter/conntrack.ts'
import { type Iptables, iptables, probeIptables } from '../../../netfilter/iptables/iptables.ts'
import { keeper, type Keeper } from '../../../netfilter/iptables/keeper.ts'
import { everything, spreading } from '../../../netfilter/probes.ts'
import { emptyTable, forwardingTable } from '../../../netfilter/table.ts'
import { type Bed, startBed } from '../../lab/bed.ts'
import { variants } from '../firewalls.ts'
import { randomTable } from '../random-table.ts'
import { runIn } from '../run-in.ts'
import { egressTable, ingressTable, source } from '../tables.ts'
import { type Line, track } from '../track.ts'

// The rules in a real kernel, in both variants, without a tailnet.
let bed: Bed
let writes: string[]
const runInNode = runIn(() => bed.host('node'))
const run: RunCommand = async (program, args, options) => {
  if (options?.input !== undefined) writes.push(options.input)
  return runInNode(program, args, options)
}
const alive = () => false

beforeAll(async () => {
  bed = await startBed({ hosts: { node: { network: 'cluster' } } })
})
afterAll(async () => bed.down())

const one = ingressTable([['100.64.0.1', '10.0.0.9']], [['fd7a:115c:a1e0::1', 'fd00::9']])

describe.each(variants)('%s', (variant) => {
  const both: readonly Iptables[] = ([4, 6] as const).map((family) => iptables(run, family, variant))
  const make = (): Keeper => keeper({ iptables: both, run, followsFlows: true, localAddresses: () => [] })
  const listings = async (): Promise<string[]> => [await both[0]!.save(), await both[1]!.save()]
  const foreign = (...args: string[]) => runInNode(`iptables-${variant}`, args)
  let rules: Keeper
  beforeEach(async () => {
    await make().remove()
    writes = []
    rules = make()
  })

  it('writes once per family, and nothing if the rules are already there', async () => {
    expect([await rules.ensure(one, alive), await rules.ensure(one, alive)]).toEqual([true, false])
    expect(writes).toHaveLength(2)
    expect(await make().ensure(one, alive)).toBe(false)
    expect(await rules.look()).toBeUndefined()
  })

  it('leaves exactly the rules of the last table, and lists them as they were written', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(randomTable, { minLength: 1, maxLength: 4 }), async (tables) => {
        for (const next of tables) await rules.ensure(next, alive)
        const last = tables.at(-1) ?? emptyTable
        expect(await rules.ensure(last, alive)).toBe(false)
        expect(await make().ensure(last, alive)).toBe(false)
      }),
      { numRuns: 10 },
    )
  })

  it('writes any address as the kernel lists it', async () => {
    const [v4, v6] = [
      ['0.0.0.0', '100.64.0.0', '255.255.255.255'],
      ['::', '::1', '::c000:207', '1::', '2001:db8:0:1:1:1:1:1', 'fe80::1'],
    ]
    const pairs = (all: string[]) => new Map(all.map((address) => [address, [address]]))
    const table = forwardingTable({ ...emptyTable, ingress: { 4: pairs(v4), 6: pairs(v6) } })
    expect(await rules.ensure(table, alive)).toBe(true)
    expect(await make().ensure(table, alive)).toBe(false)
  })

  it.each([
    ['a chain that was emptied', ['-t', 'mangle', '-F', 'CULVERT-GUARD']],
    ['a rule among ours', ['-t', 'mangle', '-I', 'CULVERT-GUARD', '-j', 'ACCEPT']],
    ['a jump that was deleted', ['-t', 'nat', '-D', 'POSTROUTING', '-j', 'CULVERT-SOURCE']],
    ['an additional jump', ['-t', 'nat', '-A', 'OUTPUT', '-d', '10.0.0.1', '-j', 'CULVERT-IN']],
    ['a flushed table', ['-t', 'nat', '-F']],
  ])('finds and repairs %s', async (_name, change) => {
    const wanted = { ...one, refuseUnmapped: true }
    await rules.ensure(wanted, alive)
    await foreign(...change)
    expect(await rules.look()).toMatch(/^IPv4: CULVERT-/)
    expect(await rules.ensure(wanted, alive)).toBe(true)
    expect(await rules.look()).toBeUndefined()
    expect(await make().ensure(wanted, alive)).toBe(false)
  })

  it('goes first again when another program has put a rule before ours', async () => {
    await rules.ensure(one, alive)
    await foreign('-I', 'FORWARD', '-j', 'ACCEPT')
    expect(await rules.look()).toBe('')
    expect(await rules.ensure(one, alive)).toBe(false)
    expect((await listings())[0]).toContain('-A FORWARD -j CULVERT-FORWARD\n-A FORWARD -j ACCEPT\n')
    await foreign('-D', 'FORWARD', '-j', 'ACCEPT')
  })

  it('changes one branch if a service is added to a thousand', async () => {
    const pairs = (count: number): [string, string][] =>
      Array.from({ length: count }, (_, index) => [`tcp . ${10_000 + index}`, `100.64.0.2 . ${1 + index}`])
    await rules.ensure(egressTable(pairs(1000)), alive)
    writes = []
    await rules.ensure(egressTable(pairs(1001)), alive)
    expect(writes).toHaveLength(1)
    expect(writes[0]!.split('\n').length).toBeLessThan(20)
    expect(await make().ensure(egressTable(pairs(1001)), alive)).toBe(false)
  })

  it('connections are tracked once the guard exists', async () => {
    expect([await rules.prepare(emptyTable.device), await make().prepare(emptyTable.device)]).toEqual([true, false])
    await bed.host('node').exec(['busybox', 'ping', '-c', '1', '-W', '5', String(bed.host('node').address.v4)])
    expect((await listFlows(run)).map(({ protocol }) => protocol)).toContain('icmp')
  })

  it('keeps flows whose mapping is gone until their address is gone, by their mark', async () => {
    await rules.ensure(egressTable([['tcp . 10000', '100.64.0.2 . 10000']]), alive)
    const from = (client: string, port: number): Line => [client, '10.0.0.5', '100.64.0.2', source[4], 'tcp', port]
    // Another program forwards another port there.
    await track(bed.host('node'), [from('10.0.0.7', 10_000), from('10.0.0.8', 10_001)])
    await runInNode('conntrack', ['-U', '-s', '10.0.0.7', '-m', String(0x2000_0000)])
    await rules.ensure(egressTable([]), alive)
    const gone = () => true
    expect([rules.overdue(alive), rules.overdue(gone)]).toEqual([false, true])
    await rules.ensure(egressTable([]), gone)
    const left = await runInNode('conntrack', ['-L'])
    expect(left).toContain('10.0.0.8')
    expect(left).not.toContain('10.0.0.7')
    expect(rules.overdue(gone)).toBe(false)
    await runInNode('conntrack', ['-F'])
  })

  it('remove deletes our rules and no others', async () => {
    await foreign('-t', 'nat', '-A', 'PREROUTING', '-j', 'ACCEPT')
    const before = await listings()
    await rules.ensure({ ...one, refuseUnmapped: true }, alive)
    await rules.remove()
    await rules.remove()
    const text = (list: string[]) => list.join('').replaceAll(/^(\*|:|COMMIT).*\n/gm, '')
    expect(text(await listings())).toBe(text(before))
    await foreign('-t', 'nat', '-F', 'PREROUTING')
  })

  it('the probe leaves nothing behind', async () => {
    for (const family of both) for (const table of [everything, spreading]) await probeIptables(family, table)
    expect((await listings()).join('')).not.toContain('CULVERT')
  })

  it('an error of the kernel is reported, and the previous rules stay', async () => {
    await rules.ensure(one, alive)
    const wrong = egressTable([['tcp . 80', 'nowhere . 80']])
    await expect(rules.ensure(wrong, alive)).rejects.toMatchObject({
      code: 'netfilter',
      cause: expect.objectContaining({ message: expect.stringContaining('nowhere') }),
    })
    expect((await listings())[0]).toContain('10.0.0.9')
  })
})

it('waits for a lock that another program holds, and then reports it', async () => {
  const legacy = iptables(run, 4, 'legacy')
  const holder = await bed
    .host('node')
    .spawn(['flock', '--no-fork', '/run/xtables.lock', 'sh', '-c', 'echo held; exec sleep 60'], {
      name: 'holder',
    })
  await holder.line(/held/)
  await expect(probeIptables(legacy, everything)).rejects.toMatchObject({
    message: 'the kernel’s IPv4 rules could not be reached',
    remedy: expect.stringContaining('find and stop it'),
  })
  await holder.stop()
  await probeIptables(legacy, everything)
})
