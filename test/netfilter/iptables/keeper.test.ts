import * as fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { CommandError, type RunCommand } from '../../../lib/command.ts'
import { iptables } from '../../../netfilter/iptables/iptables.ts'
import { keeper } from '../../../netfilter/iptables/keeper.ts'
import { emptyTable } from '../../../netfilter/table.ts'
import { randomTable } from '../random-table.ts'
import { egressTable, ingressTable } from '../tables.ts'
import { Model, runOn } from './model.ts'

// What is written, and when, to simulated kernels.
let models: { readonly 4: Model; readonly 6: Model }
let fails: (program: string, input: string | undefined) => CommandError | undefined
const run: RunCommand = async (program, args, options) => {
  const failure = fails(program, options?.input)
  if (failure !== undefined) throw failure
  return runOn(models)(program, args, options)
}
const make = (followsFlows = true) =>
  keeper({
    iptables: [iptables(run, 4, 'nft'), iptables(run, 6, 'nft')],
    run,
    followsFlows,
    localAddresses: () => [],
  })
const alive = () => false
const written = (): number => models[4].inputs.length + models[6].inputs.length
/** The rules of one family, without counters and times. */
const held = (family: 4 | 6): string =>
  models[family]
    .save()
    .replaceAll(/^#.*\n|\[\d+:\d+\]/gm, '')
    .split('\n')
    .toSorted()
    .join('\n')

beforeEach(() => {
  models = { 4: new Model(), 6: new Model() }
  fails = () => undefined
})

const one = ingressTable([['100.64.0.1', '10.0.0.9']], [['fd7a:115c:a1e0::1', 'fd00::9']])
const two = egressTable([['tcp . 80', '100.64.0.2 . 80']], [['tcp . 80', 'fd7a:115c:a1e0::2 . 80']])

describe('ensure', () => {
  it('writes once per family, and nothing if the rules are already there', async () => {
    const rules = make()
    expect([await rules.ensure(one, alive), await rules.ensure(one, alive)]).toEqual([true, false])
    expect(written()).toBe(2)
    expect(await make().ensure(one, alive)).toBe(false)
    expect(written()).toBe(2)
  })

  it('writes only families and chains that change', async () => {
    const rules = make()
    await rules.ensure(one, alive)
    await rules.ensure(ingressTable([['100.64.0.1', '10.0.0.8']], [['fd7a:115c:a1e0::1', 'fd00::9']]), alive)
    expect(models[6].inputs).toHaveLength(1)
    const { change } = /^\*nat\n:CULVERT-IN - \[0:0\]\n(?<change>(-A CULVERT-IN .*\n)+)COMMIT\n$/.exec(
      models[4].inputs[1]!,
    )!.groups!
    expect(change).toContain('-A CULVERT-IN -d 100.64.0.1/32 -j DNAT --to-destination 10.0.0.8\n')
  })

  const foreign: readonly [string, string, string][] = [
    ['a chain that was emptied', 'mangle', ':CULVERT-GUARD - [0:0]'],
    ['another rule among ours', 'mangle', '-I CULVERT-GUARD 1 -j ACCEPT'],
    ['a jump that was deleted', 'nat', '-D POSTROUTING -j CULVERT-SOURCE'],
    ['a duplicate jump', 'nat', '-A POSTROUTING -j CULVERT-SOURCE'],
    ['a jump from another chain', 'nat', '-A OUTPUT -p tcp -j CULVERT-IN'],
    ['a jump with a condition', 'nat', '-D POSTROUTING -j CULVERT-SOURCE\n-A POSTROUTING -o eth0 -j CULVERT-SOURCE'],
    [
      'a jump without its condition',
      'mangle',
      '-D PREROUTING -i tailscale0 -j CULVERT-ROUTE\n-A PREROUTING -j CULVERT-ROUTE',
    ],
    ['a chain with our prefix', 'filter', ':CULVERT-OTHER - [0:0]\n-A CULVERT-OTHER -j ACCEPT'],
  ]
  it.each(foreign)('repairs %s', async (_name, table, lines) => {
    const rules = make()
    const wanted = { ...one, refuseUnmapped: true }
    await rules.ensure(wanted, alive)
    const before = held(4)
    models[4].restore(`*${table}\n${lines}\nCOMMIT\n`)
    expect(await rules.look()).toContain(`IPv4: CULVERT-`)
    expect(await rules.ensure(wanted, alive)).toBe(true)
    expect(held(4)).toBe(before)
    expect(await rules.look()).toBeUndefined()
  })

  it('goes first again when another program has put a rule before ours, which is not counted as a repair', async () => {
    const rules = make()
    await rules.ensure(one, alive)
    models[4].restore('*filter\n-I FORWARD 1 -j ts-forward\nCOMMIT\n')
    expect(await rules.look()).toBe('')
    expect(await rules.ensure(one, alive)).toBe(false)
    expect(held(4)).toContain('-A FORWARD -j CULVERT-FORWARD\n-A FORWARD -j ts-forward\n')
    expect(await rules.look()).toBeUndefined()
  })

  it('the next change also repairs what has not been noticed yet', async () => {
    const rules = make()
    await rules.ensure(one, alive)
    models[4].restore('*mangle\n:CULVERT-GUARD - [0:0]\n-D POSTROUTING ! -o tailscale0 -j CULVERT-GUARD\nCOMMIT\n')
    expect(await rules.ensure(two, alive)).toBe(true)
    expect(await make().ensure(two, alive)).toBe(false)
  })

  it('ignores rules of other programs', async () => {
    models[4].restore('*nat\n:KUBE - [0:0]\n-A PREROUTING -m comment --comment "x -j CULVERT-Y" -j KUBE\nCOMMIT\n')
    const before = held(4)
    const rules = make()
    await rules.ensure(one, alive)
    models[4].restore('*nat\n-A KUBE -j RETURN\nCOMMIT\n')
    expect(await rules.look()).toBeUndefined()
    models[4].restore('*nat\n-D KUBE -j RETURN\nCOMMIT\n')
    await rules.remove()
    expect(held(4)).toBe(before)
  })

  it('after any sequence of tables, has exactly the rules of the last one', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(randomTable, { minLength: 1, maxLength: 4 }), async (tables) => {
        models = { 4: new Model(), 6: new Model() }
        const rules = make()
        for (const next of tables) await rules.ensure(next, alive)
        const after = [held(4), held(6)]
        models = { 4: new Model(), 6: new Model() }
        await make().ensure(tables.at(-1)!, alive)
        expect([held(4), held(6)]).toEqual(after)
        await rules.remove()
        models = { 4: models[4], 6: new Model() }
        expect(held(4)).toBe(held(6))
      }),
    )
  })
})

describe('a family that fails', () => {
  it('affects only itself, and is written with the next attempt', async () => {
    const rules = make()
    await rules.ensure(one, alive)
    const asked: string[] = []
    fails = (program, input) => {
      asked.push(program)
      return program.startsWith('ip6') && input !== undefined
        ? new CommandError('ip6tables-nft-restore failed', { exitCode: 4, stderr: 'no' })
        : undefined
    }
    await expect(rules.ensure(two, alive)).rejects.toMatchObject({
      code: 'netfilter',
      message: 'the kernel’s IPv6 rules could not be reached',
    })
    expect(held(4)).toContain('100.64.0.2:80')
    expect(held(6)).toContain('fd00::9')
    // Flows of the other family are classified nevertheless.
    expect(asked.at(-1)).toBe('conntrack')
    fails = () => undefined
    expect(await rules.ensure(two, alive)).toBe(true)
    expect(models[4].inputs).toHaveLength(2)
    expect(held(6)).toContain('[fd7a:115c:a1e0::2]:80')
  })

  it('does not lose the flows that a change affects', async () => {
    const asked: string[] = []
    fails = (program) => {
      asked.push(program)
      return program === 'conntrack' ? new CommandError('conntrack failed', { exitCode: 1 }) : undefined
    }
    const rules = make()
    await expect(rules.ensure(one, alive)).rejects.toThrow('conntrack failed')
    fails = (program) => {
      asked.push(program)
      return undefined
    }
    asked.length = 0
    expect(await rules.ensure(one, alive)).toBe(false)
    expect(asked).toEqual(['conntrack', 'conntrack'])
  })

  it.each([
    ['Another app is currently holding the xtables lock.', 'find and stop it'],
    ["Fatal: can't open lock file /run/xtables.lock: Read-only file system", 'volume'],
    ["iptables-nft-restore: table `nat' is incompatible, use 'nft' tool.", 'with nft'],
  ])('is reported with the remedy: %s', async (stderr, remedy) => {
    fails = (_program, input) => (input === undefined ? undefined : new CommandError(stderr, { exitCode: 4, stderr }))
    await expect(make().ensure(one, alive)).rejects.toMatchObject({
      remedy: expect.stringContaining(remedy),
      cause: { message: stderr },
    })
  })

  it('is named if it accepts rules and does not list them', async () => {
    const rules = make()
    fails = (program, input) => {
      if (program === 'iptables-nft-restore' && input?.includes('*mangle')) {
        queueMicrotask(() => models[4].restore('*mangle\n-A CULVERT-GUARD -j ACCEPT\nCOMMIT\n'))
      }
      return undefined
    }
    await expect(rules.ensure(one, alive)).rejects.toMatchObject({
      code: 'verification-failed',
      message: expect.stringMatching(/IPv4 rules .*: CULVERT-GUARD of the table mangle$/),
    })
  })
})

describe('look', () => {
  it('reports nothing before the first verification, and throws if it cannot read the rules', async () => {
    const rules = make()
    expect(await rules.look()).toBeUndefined()
    await rules.ensure(one, alive)
    fails = () => new CommandError('iptables-nft-save failed', { exitCode: 1 })
    await expect(rules.look()).rejects.toThrow('could not be reached')
    fails = () => undefined
    // Nothing is known any more, so the next attempt reads the rules.
    models[4].restore('*mangle\n:CULVERT-GUARD - [0:0]\nCOMMIT\n')
    expect(await rules.ensure(one, alive)).toBe(true)
  })

  it('does not mistake our own change for another program’s', async () => {
    const rules = make()
    await rules.ensure(one, alive)
    const found = rules.look()
    await rules.ensure(two, alive)
    expect(await found).toBeUndefined()
    expect(await rules.ensure(two, alive)).toBe(false)
  })
})

it('if flows cannot be ended, lists none and keeps the rules, since flows would leave unencrypted', async () => {
  fails = (program) => (program === 'conntrack' ? new CommandError('conntrack failed', { exitCode: 1 }) : undefined)
  const rules = make(false)
  expect([await rules.ensure(one, alive), await rules.endFlows()]).toEqual([true, 0])
  await rules.remove()
  expect(held(4)).toMatch(/CULVERT-GUARD .*DROP/)
})

it('prepare installs the guard, and keeps what an earlier agent left', async () => {
  expect(await make().prepare(emptyTable.device)).toBe(true)
  expect(held(6)).toMatch(/CULVERT-GUARD .*DROP/)
  expect(held(4)).toContain('-A FORWARD -j CULVERT-FORWARD')
  await make().ensure(emptyTable, alive)
  await make().ensure(one, alive)
  expect(await make().prepare(emptyTable.device)).toBe(false)
  expect(held(4)).toContain('10.0.0.9')
})
