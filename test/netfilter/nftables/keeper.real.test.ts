import { join } from 'node:path'
import * as fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { RunCommand } from '../../../lib/command.ts'
import { keeper, type Keeper } from '../../../netfilter/nftables/keeper.ts'
import { nftables } from '../../../netfilter/nftables/nftables.ts'
import { listFlows } from '../../../netfilter/conntrack.ts'
import { elementsOf } from '../../../netfilter/nftables/elements.ts'
import { emptyTable, forwardingTable } from '../../../netfilter/table.ts'
import { type Bed, startBed } from '../../lab/bed.ts'
import { randomTable } from '../random-table.ts'
import { runIn } from '../run-in.ts'
import { egressTable, ingressTable as table, source } from '../tables.ts'
import { track } from '../track.ts'

// The rules in a real kernel, without a tailnet: what is written, when, and what is read back.
let bed: Bed
let writes: string[]
let commands = 0
let rules: Keeper

const runInNode = runIn(() => bed.host('node'))
const run: RunCommand = async (program, args, options) => {
  commands += 1
  if (options?.input !== undefined) writes.push(options.input)
  return runInNode(program, args, options)
}
const alive = () => false
const nft = async (...args: string[]) => run('nft', args)
const tableHandle = async () =>
  /table inet culvert.*# handle (\d+)/.exec(await nft('-a', 'list', 'table', 'inet', 'culvert'))?.[1]

const make = () => keeper({ nft: nftables(run), run, localAddresses: () => [] })

beforeAll(async () => {
  bed = await startBed({ hosts: { node: { network: 'cluster' } } })
})
afterAll(async () => bed.down())
beforeEach(async () => {
  await nft('flush', 'ruleset')
  writes = []
  rules = make()
})

const one = table([['100.64.0.1', '10.0.0.9']], [['fd7a:115c:a1e0::1', 'fd00::9']])

describe('ensure', () => {
  it('writes once, and nothing while it is unchanged', async () => {
    expect(await rules.ensure(one, alive)).toBe(true)
    expect(writes).toHaveLength(1)
    expect(await rules.ensure(one, alive)).toBe(false)
    expect(writes).toHaveLength(1)
  })

  it('changes only elements if only they differ', async () => {
    await rules.ensure(one, alive)
    const handle = await tableHandle()
    expect(await rules.ensure(table([['100.64.0.1', '10.0.0.8']]), alive)).toBe(true)
    expect(await tableHandle()).toBe(handle)
    expect(writes[1]).not.toContain('chain')
    expect(await nft('list', 'map', 'inet', 'culvert', 'ingress4')).toContain('100.64.0.1 : 10.0.0.8')
    expect(await nft('list', 'set', 'inet', 'culvert', 'own6')).not.toContain('elements')
  })

  it('replaces rules that differ, within chains that stay', async () => {
    const places = async () =>
      (await nft('-a', 'list', 'table', 'inet', 'culvert'))
        .split('\n')
        .filter((line) => /^\s*(chain|set|map) /.test(line))
    await rules.ensure(one, alive)
    const before = await places()
    const other = { ...one, masquerade: false, refuseUnmapped: true, catchAll: source, source }
    await rules.ensure(other, alive)
    expect(await nft('list', 'table', 'inet', 'culvert')).not.toContain('masquerade comment')
    expect(await rules.ensure(other, alive)).toBe(false)
    expect(await rules.ensure(one, alive)).toBe(true)
    expect(await nft('list', 'table', 'inet', 'culvert')).toContain('masquerade comment')
    expect(await places()).toEqual(before)
  })

  it.each([
    ['a deleted table', ['delete', 'table', 'inet', 'culvert']],
    [
      'a changed rule',
      ['insert', 'rule', 'inet', 'culvert', 'guard', 'accept', 'comment', '"guard: nothing leaves in the clear"'],
    ],
    ['a foreign chain', ['add', 'chain', 'inet', 'culvert', 'foreign']],
    ['a foreign set', ['add', 'set', 'inet', 'culvert', 'foreign', '{', 'type', 'mark;', '}']],
    [
      'an element in a form that we do not write',
      ['add', 'element', 'inet', 'culvert', 'own4', '{', '100.64.0.7', 'comment', '"x"', '}'],
    ],
    ['another policy', ['add', 'chain', 'inet', 'culvert', 'forward', '{', 'policy', 'drop;', '}']],
    ['a missing guard address', ['delete', 'element', 'inet', 'culvert', 'own6', '{', 'fd7a:115c:a1e0::1', '}']],
  ])('repairs %s', async (_name, change) => {
    await rules.ensure(one, alive)
    const before = await nft('-s', 'list', 'table', 'inet', 'culvert')
    await nft(...change)
    expect(await rules.ensure(one, alive)).toBe(true)
    const after = await nft('-s', 'list', 'table', 'inet', 'culvert')
    expect(after.split('\n').toSorted()).toEqual(before.split('\n').toSorted())
    expect(await rules.ensure(one, alive)).toBe(false)
  })

  it('writes an address with a thousand backends, and nothing if they are already there', async () => {
    const v4 = Array.from({ length: 1000 }, (_, index) => `10.1.${index >> 8}.${index & 255}`)
    const v6 = Array.from({ length: 1000 }, (_, index) => `fd00::${(index + 1).toString(16)}`)
    const ingress = { 4: new Map([['100.64.0.1', v4]]), 6: new Map([['fd7a:115c:a1e0::1', v6]]) }
    expect(await rules.ensure(forwardingTable({ ...emptyTable, ingress }), alive)).toBe(true)
    expect(await rules.ensure(forwardingTable({ ...emptyTable, ingress }), alive)).toBe(false)
    const [rule] =
      /.* daddr 100\.64\.0\.1 dnat .*/.exec(await nft('list', 'chain', 'inet', 'culvert', 'translate')) ?? []
    expect(rule?.match(/ : 10\.1\./g)).toHaveLength(1000)
  })

  it('loads ten thousand translations with a few commands', async () => {
    const many = (backend: string) =>
      table(
        Array.from({ length: 10_000 }, (_, index): [string, string] => [
          `100.${64 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`,
          backend,
        ]),
      )
    commands = 0
    expect(await rules.ensure(many('10.0.0.9'), alive)).toBe(true)
    expect(commands).toBeLessThan(10)
    expect(await rules.ensure(many('10.0.0.9'), alive)).toBe(false)
  })
})

describe('any sequence of tables', () => {
  it('leaves exactly the last one, and what is read back equals what was loaded', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(randomTable, { minLength: 1, maxLength: 4 }), async (tables) => {
        for (const next of tables) await rules.ensure(next, alive)
        const last = tables.at(-1) ?? emptyTable
        const held = await nftables(run).list()
        expect(held?.elements).toEqual(elementsOf(last))
        expect(await rules.ensure(last, alive)).toBe(false)
        expect(await make().ensure(last, alive)).toBe(true)
        const loaded = await nftables(run).list()
        expect(loaded).toEqual(held)
      }),
      { numRuns: 15 },
    )
  })

  it('does so while a monitor runs and only elements change, without listing', async () => {
    const program = join(import.meta.dirname, '../programs/sequences.ts')
    const { stdout } = await bed.host('node').exec([process.execPath, program])
    const { changed, listed, mistaken } = JSON.parse(stdout) as Record<string, number>
    expect(changed).toBeGreaterThan(20)
    // A late announcement is made up for by a listing.
    expect(listed).toBeLessThan(changed! / 2)
    expect(mistaken).toBeLessThan(10)
  })
})

it('flows whose mapping is gone linger until their address is gone, as each call says', async () => {
  const gone = () => true
  const lingering = () => nft('list', 'set', 'inet', 'culvert', 'targets4')
  await rules.ensure(egressTable([['tcp . 10000', '100.64.0.2 . 10000']]), alive)
  await track(bed.host('node'), [['10.0.0.7', '10.0.0.5', '100.64.0.2', source[4], 'tcp', 10_000]])
  await rules.ensure(egressTable([]), alive)
  expect(await lingering()).toContain('100.64.0.2')
  expect([rules.overdue(alive), rules.overdue(gone)]).toEqual([false, true])
  await rules.ensure(egressTable([]), gone)
  expect(await lingering()).not.toContain('100.64.0.2')
  expect(await listFlows(run)).toEqual([])
  expect(rules.overdue(gone)).toBe(false)
})

describe('prepare', () => {
  it('installs the guard and connection tracking, and keeps what an earlier agent left', async () => {
    expect(await rules.prepare('ts0')).toBe(true)
    expect(await nft('list', 'table', 'inet', 'culvert')).toMatch(/ct state new[\s\S]*oifname != "ts0" .*drop comment/)
    await rules.ensure(one, alive)
    expect(await make().prepare('ts0')).toBe(false)
    expect(await nft('list', 'map', 'inet', 'culvert', 'ingress4')).toContain('100.64.0.1')
  })
})

it('remove deletes our table, and no other', async () => {
  await nft('add', 'table', 'inet', 'other')
  await rules.ensure(one, alive)
  await rules.remove()
  await rules.remove()
  expect((await nft('list', 'tables')).trim()).toBe('table inet other')
})

it('an error of the kernel is reported in its words, and the previous rules stay', async () => {
  await rules.ensure(one, alive)
  const wrong = table([['100.64.0.1', 'not-an-address']])
  await expect(rules.ensure(wrong, alive)).rejects.toMatchObject({
    code: 'netfilter',
    cause: expect.objectContaining({ message: expect.stringMatching(/not-an-address|resolve/i) }),
  })
  expect(await nft('list', 'map', 'inet', 'culvert', 'ingress4')).toContain('10.0.0.9')
})
