import { describe, expect, it } from 'vitest'
import type { Family } from '../../lib/address.ts'
import { CommandError, type RunCommand } from '../../lib/command.ts'
import { type BackendMode, chooseBackend } from '../../netfilter/backend.ts'
import { emptyTable, forwardingTable } from '../../netfilter/table.ts'
import { Model, runOn } from './iptables/model.ts'
import { ingressTable, severalTable } from './tables.ts'

/** Every program works; nft has a table of an earlier agent. */
const working = (): RunCommand => {
  const tables = runOn({ 4: new Model(), 6: new Model() })
  return async (program, args, options) => {
    if (program !== 'nft') return tables(program, args, options)
    if (options?.input?.startsWith('create table inet culvert\n') !== true) return '{ "nftables": [] }'
    const stderr = 'Error: Could not process rule: File exists'
    throw new CommandError(`nft failed: ${stderr}`, { exitCode: 1, stderr })
  }
}

/** Chooses a backend with this result of each command. */
async function choose(
  mode: BackendMode,
  run: RunCommand = working(),
  { families = [4, 6], several = false }: { families?: readonly Family[]; several?: boolean } = {},
) {
  const [commands, logged]: [string[], string[]] = [[], []]
  const backend = await chooseBackend(mode, {
    run: (program, args, options) => {
      commands.push([program, ...args].join(' '))
      return run(program, args, options)
    },
    runAhead: () => async () => '',
    families,
    several,
    localAddresses: () => [],
    device: 'ts0',
    log: ({ text }) => logged.push(text),
  })
  return { backend, commands, logged }
}

/** Makes these programs fail with an error message. */
const failing = (...programs: string[]): RunCommand => {
  const others = working()
  return async (program, ...rest) => {
    if (!programs.includes(program)) return others(program, ...rest)
    throw new CommandError(`${program} failed: Protocol not supported`, { exitCode: 3 })
  }
}

/** Makes the programs fail whose input has this text, as on a kernel without the module for it. */
const onKernelWithout = (text: string): RunCommand => {
  const others = working()
  return async (program, args, options) => {
    if (options?.input?.includes(text) !== true) return others(program, args, options)
    throw new CommandError(`${program} failed: No such file or directory`, { exitCode: 1 })
  }
}

const alive = () => false

describe('chooseBackend', () => {
  it('uses nftables, with the guard in place', async () => {
    const { backend, commands, logged } = await choose('auto')
    expect(backend.name).toBe('nftables')
    expect(commands.toSorted()).toEqual(['conntrack -C', 'nft -f -', 'nft -f -'])
    expect(logged).toEqual(['firewall: nftables, since its rules could be made and deleted here'])
  })

  it.each<[BackendMode, string[], string, Family[], RegExp]>([
    [
      'auto',
      ['nft'],
      'iptables',
      [4, 6],
      /^iptables-nft for IPv4 and ip6tables-nft for IPv6.*; nftables cannot.*nft failed/,
    ],
    ['iptables', [], 'iptables', [4, 6], /^TS_DEBUG_FIREWALL_MODE is iptables; iptables-nft for IPv4 and/],
    ['nftables', [], 'nftables', [4, 6], /^TS_DEBUG_FIREWALL_MODE is nftables; its rules could be made/],
    [
      'auto',
      ['nft', 'iptables-nft-restore', 'ip6tables-nft-restore'],
      'iptables',
      [4, 6],
      /^iptables-legacy for IPv4 and ip6tables-legacy for IPv6.*iptables-nft: .*iptables-nft-restore failed/,
    ],
    ['iptables', ['iptables-nft-restore'], 'iptables', [4, 6], /; iptables-legacy for IPv4 and ip6tables-nft for IPv6/],
    [
      'auto',
      ['nft', 'ip6tables-nft-restore', 'ip6tables-legacy-restore'],
      'iptables',
      [4],
      /^iptables-nft for IPv4, .*; no IPv6: ip6tables-nft: .*; ip6tables-legacy: .*; nftables cannot/,
    ],
  ])('for %s without %j, uses %s, for IPv%j', async (mode, lacking, name, families, reason) => {
    const { backend, logged } = await choose(mode, failing(...lacking))
    expect({ name: backend.name, families: backend.families }).toEqual({ name, families })
    expect(backend.reason).toMatch(reason)
    expect(logged).toEqual([`firewall: ${name}, since ${backend.reason}`])
    expect(await backend.firewall.prepare('ts0'), 'the guard is in place').toBe(false)
  })

  it('uses iptables if connections cannot be listed, since it forwards without that', async () => {
    const { backend } = await choose('auto', failing('conntrack'))
    expect(backend.reason).toMatch(/; nftables cannot be used: .*conntrack failed: Protocol not supported/)
    await expect(choose('nftables', failing('conntrack'))).rejects.toMatchObject({
      code: 'privilege',
      message: expect.stringMatching(/nftables cannot be used: .*conntrack failed: Protocol not supported/),
    })
  })

  it('probes only families that the kernel supports', async () => {
    const { backend, commands } = await choose('iptables', undefined, { families: [4] })
    expect(backend.families).toEqual([4])
    expect(commands.slice(0, 3)).toEqual([
      'iptables-nft-restore --noflush --wait 5',
      'iptables-nft-save',
      'conntrack -L -f ipv4',
    ])
    expect(commands.filter((command) => command.startsWith('ip6'))).toEqual([])
  })

  it('forwards even if connections cannot be listed, with a warning', async () => {
    const { backend, logged } = await choose('iptables', failing('conntrack'))
    expect(logged[0]).toMatch(/^warning: connections are neither listed nor ended: conntrack failed: Protocol not/)
    expect(await backend.firewall.endFlows()).toBe(0)
  })

  it.each([
    ' masquerade comment',
    'reject with icmpx',
    'fib daddr',
    'rt mtu',
    'snat ip6',
    'th dport map',
    'ct original',
  ])('uses iptables on a kernel without `%s` in nftables', async (text) => {
    const { backend } = await choose('auto', onKernelWithout(text))
    expect(backend.reason).toMatch(/; nftables cannot be used: .*nft failed: No such file/)
  })

  it.each<[BackendMode, string, string]>([
    ['nftables', 'numgen', 'nft_numgen'],
    ['iptables', '-m statistic', 'xt_statistic'],
  ])('for %s, names the module that several backends need, if the kernel lacks it', async (mode, text, module) => {
    const without = onKernelWithout(text)
    await expect(choose(mode, without, { several: true })).rejects.toMatchObject({
      code: 'privilege',
      message: expect.stringContaining(`${mode} cannot be used: several backends need ${module}`),
    })
    // A name may get several addresses later.
    const { backend } = await choose(mode, without)
    await expect(
      backend.firewall.ensure(severalTable('100.64.0.1', ['10.0.0.8', '10.0.0.9']), alive),
    ).rejects.toMatchObject({
      code: 'netfilter',
      message: `several backends need ${module}, which the kernel lacks`,
      remedy: expect.stringContaining(`Load ${module}`),
    })
    const ports = [{ protocol: 'tcp', first: 80, last: 80 }] as const
    const some = { addresses: ['100.64.0.1'], backends: ['10.0.0.8', '10.0.0.9'], ports }
    await expect(
      backend.firewall.ensure(forwardingTable({ ...emptyTable, ingressByPort: { 4: some, 6: undefined } }), alive),
    ).rejects.toThrow(module)
    // What else fails in the simulation is not blamed on it.
    const other = await backend.firewall.ensure(emptyTable, alive).then(String, String)
    expect(other).not.toContain(module)
  })

  it('does not name a module if no rules are accepted at all', async () => {
    let broken = false
    const others = working()
    const { backend } = await choose('nftables', async (...command) => {
      if (broken) throw new CommandError('nft failed: Operation not permitted', { exitCode: 1 })
      return others(...command)
    })
    broken = true
    const several = severalTable('100.64.0.1', ['10.0.0.8', '10.0.0.9'])
    await expect(backend.firewall.ensure(several, alive)).rejects.toMatchObject({
      message: 'the kernel’s rules could not be reached through nft',
      cause: { message: 'nft failed: Operation not permitted' },
    })
  })

  it('uses iptables for several backends on a kernel without numgen', async () => {
    expect((await choose('auto', onKernelWithout('numgen'))).backend.name).toBe('nftables')
    const { backend } = await choose('auto', onKernelWithout('numgen'), { several: true })
    expect(backend.reason).toMatch(
      /; nftables cannot be used: several backends need nft_numgen, which the kernel lacks/,
    )
  })

  it('does not do without a family because another program holds the lock', async () => {
    const held: RunCommand = async (program) => {
      if (program === 'ip6tables-legacy-restore') return ''
      const stderr = program.includes('nft')
        ? 'Protocol not supported'
        : 'Another app is currently holding the xtables lock'
      throw new CommandError(`${program} failed: ${stderr}`, { exitCode: 4, stderr })
    }
    await expect(choose('iptables', held)).rejects.toMatchObject({
      message: expect.stringMatching(/iptables-legacy-restore failed: Another app.*; find and stop it/),
    })
  })

  const all = ['nft', ...['iptables', 'ip6tables'].flatMap((name) => [`${name}-nft-restore`, `${name}-legacy-restore`])]
  it.each<[BackendMode, string[], string]>([
    ['auto', all, 'nf_tables with NAT and nf_conntrack_netlink, and the image nft and conntrack, or'],
    ['nftables', ['nft'], 'the image nft and conntrack.'],
    ['iptables', all.slice(1), 'nf_tables or ip_tables'],
  ])('for %s, reports the error of each program if none can be used', async (mode, programs, needs) => {
    const refused = choose(mode, failing(...all))
    for (const program of programs) {
      await expect(refused).rejects.toMatchObject({
        code: 'privilege',
        message: expect.stringContaining(`${program} failed: Protocol not supported`),
        remedy: expect.stringContaining(needs),
      })
    }
  })

  it('keeps the rules in memory if set, and runs nothing', async () => {
    const { backend, commands } = await choose('memory')
    const { firewall } = backend
    const table = ingressTable([['100.64.0.1', '10.0.0.9']])
    expect([await firewall.prepare('ts0'), await firewall.prepare('ts0')]).toEqual([true, false])
    expect([await firewall.ensure(table, alive), await firewall.ensure(table, alive)]).toEqual([true, false])
    expect(await firewall.ensure(ingressTable([['100.64.0.1', '10.0.0.8']]), alive)).toBe(true)
    await firewall.remove()
    expect(await firewall.ensure(emptyTable, alive)).toBe(false)
    await backend.watch(() => {}, new AbortController().signal)
    await backend.removeLeftovers()
    expect(commands).toEqual([])
  })
})
