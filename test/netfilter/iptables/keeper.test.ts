import * as fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { CommandError, type RunCommand } from '../../../lib/command.ts'
import { iptables } from '../../../netfilter/iptables/iptables.ts'
import { keeper } from '../../../netfilter/iptables/keeper.ts'
import { emptyTable } from '../../../netfilter/table.ts'
import { randomTable } from '../random-table.ts'
import { egressTable, ingressTable } from '../tables.ts'
import { Model, runOn } from './model.ts'

// What is written, and when, to kernels that are played.
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
/** The rules of one family, without what changes by itself. */
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
  it('writes once for each family, and nothing when it holds already', async () => {
    const rules = make()
    expect([await rules.ensure(one, alive), await rules.ensure(one, alive)]).toEqual([true, false])
    expect(written()).toBe(2)
    expect(await make().ensure(one, alive)).toBe(false)
    expect(written()).toBe(2)
  })

  it('writes a family only where something of it changes, and the chain that does', async () => {
    const rules = make()
    await rules.ensure(one, alive)
    await rules.ensure(ingressTable([['100.64.0.1', '10.0.0.8']], [['fd7a:115c:a1e0::1', 'fd00::9']]), alive)
    expect(models[6].inputs).toHaveLength(1)
    expect(models[4].inputs[1]).toBe(
      '*nat\n:CULVERT-IN - [0:0]\n-A CULVERT-IN -d 100.64.0.1/32 -j DNAT --to-destination 10.0.0.8\nCOMMIT\n',
    )
  })

  const foreign: readonly [string, string, string][] = [
    ['a chain that was emptied', 'mangle', ':CULVERT-GUARD - [0:0]'],
    ['a rule of its own among ours', 'mangle', '-I CULVERT-GUARD 1 -j ACCEPT'],
    ['a jump that was deleted', 'nat', '-D PREROUTING -j CULVERT-TRANSLATE'],
    ['a jump that is there twice', 'nat', '-A PREROUTING -j CULVERT-TRANSLATE'],
    ['a jump from elsewhere', 'nat', '-A OUTPUT -p tcp -j CULVERT-TRANSLATE'],
    ['a jump under a condition', 'mangle', '-D FORWARD -j CULVERT-FORWARD\n-A FORWARD -i eth0 -j CULVERT-FORWARD'],
    ['a chain that is named as ours are', 'filter', ':CULVERT-OTHER - [0:0]\n-A CULVERT-OTHER -j ACCEPT'],
    ['a rule before what must be first', 'filter', '-I FORWARD 1 -j ACCEPT'],
  ]
  it.each(foreign)('repairs %s', async (_name, table, lines) => {
    const rules = make()
    const wanted = { ...one, refuseUnmapped: true }
    await rules.ensure(wanted, alive)
    const before = held(4)
    models[4].restore(`*${table}\n${lines}\nCOMMIT\n`)
    expect(await rules.look()).toContain(`IPv4: CULVERT-`)
    expect(await rules.ensure(wanted, alive)).toBe(true)
    expect(held(4).replace('-A FORWARD -j ACCEPT\n', '')).toBe(before)
    expect(await rules.look()).toBeUndefined()
  })

  it('repairs with its next change what it has not noticed yet', async () => {
    const rules = make()
    await rules.ensure(one, alive)
    models[4].restore('*mangle\n:CULVERT-GUARD - [0:0]\n-D POSTROUTING -j CULVERT-GUARD\nCOMMIT\n')
    expect(await rules.ensure(two, alive)).toBe(true)
    expect(await make().ensure(two, alive)).toBe(false)
  })

  it('leaves the rules of others alone, and hears of none', async () => {
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

  it('after any sequence of tables holds exactly the last one', async () => {
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
  it('costs itself only, and is written with the next attempt', async () => {
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
    // Flows of the other family do not wait for it.
    expect(asked.at(-1)).toBe('conntrack')
    fails = () => undefined
    expect(await rules.ensure(two, alive)).toBe(true)
    expect(models[4].inputs).toHaveLength(2)
    expect(held(6)).toContain('[fd7a:115c:a1e0::2]:80')
  })

  it('does not make it forget the flows that a change is for', async () => {
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
  ])('is told with what can be done: %s', async (stderr, remedy) => {
    fails = (_program, input) => (input === undefined ? undefined : new CommandError(stderr, { exitCode: 4, stderr }))
    await expect(make().ensure(one, alive)).rejects.toMatchObject({
      remedy: expect.stringContaining(remedy),
      cause: { message: stderr },
    })
  })

  it('that takes rules and does not hold them is named', async () => {
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
  it('says nothing of what is not known, and throws where it cannot see', async () => {
    const rules = make()
    expect(await rules.look()).toBeUndefined()
    await rules.ensure(one, alive)
    fails = () => new CommandError('iptables-nft-save failed', { exitCode: 1 })
    await expect(rules.look()).rejects.toThrow('could not be reached')
    fails = () => undefined
    // Nothing is known any more: the next attempt looks.
    models[4].restore('*mangle\n:CULVERT-GUARD - [0:0]\nCOMMIT\n')
    expect(await rules.ensure(one, alive)).toBe(true)
  })

  it('does not take a change of ours for that of another program', async () => {
    const rules = make()
    await rules.ensure(one, alive)
    const found = rules.look()
    await rules.ensure(two, alive)
    expect(await found).toBeUndefined()
    expect(await rules.ensure(two, alive)).toBe(false)
  })
})

it('where flows cannot be ended, none are listed, and the rules stay: flows would leave in the clear', async () => {
  fails = (program) => (program === 'conntrack' ? new CommandError('conntrack failed', { exitCode: 1 }) : undefined)
  const rules = make(false)
  expect([await rules.ensure(one, alive), await rules.endFlows()]).toEqual([true, 0])
  await rules.remove()
  expect(held(4)).toMatch(/CULVERT-GUARD ! -o .*DROP/)
})

it('prepare puts the guard in place, and keeps what an earlier agent left', async () => {
  expect(await make().prepare(emptyTable.device)).toBe(true)
  expect(held(6)).toMatch(/CULVERT-GUARD ! -o .*DROP/)
  expect(held(4)).toContain('-A FORWARD -j CULVERT-REFUSE')
  await make().ensure(emptyTable, alive)
  await make().ensure(one, alive)
  expect(await make().prepare(emptyTable.device)).toBe(false)
  expect(held(4)).toContain('10.0.0.9')
})
