import { describe, expect, it } from 'vitest'
import type { Family } from '../../lib/address.ts'
import { CommandError, type RunCommand } from '../../lib/command.ts'
import { type BackendMode, chooseBackend } from '../../netfilter/backend.ts'
import { emptyTable } from '../../netfilter/table.ts'
import { Model, runOn } from './iptables/model.ts'
import { ingressTable } from './tables.ts'

/** Every program works; nft lists a table of an earlier agent. */
const working = (): RunCommand => {
  const tables = runOn({ 4: new Model(), 6: new Model() })
  return async (program, ...rest) => (program === 'nft' ? '{ "nftables": [] }' : tables(program, ...rest))
}

/** Chooses a backend with this result of each command. */
async function choose(mode: BackendMode, run: RunCommand = working(), families: readonly Family[] = [4, 6]) {
  const [commands, logged]: [string[], string[]] = [[], []]
  const backend = await chooseBackend(mode, {
    run: (program, args, options) => {
      commands.push([program, ...args].join(' '))
      return run(program, args, options)
    },
    runAhead: () => async () => '',
    families,
    localAddresses: () => [],
    device: 'ts0',
    log: (line) => logged.push(line),
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

const alive = () => false

describe('chooseBackend', () => {
  it('uses nftables, with the guard in place', async () => {
    const { backend, commands, logged } = await choose('auto')
    expect(backend.name).toBe('nftables')
    expect(commands).toEqual(['nft -j list table inet culvert'])
    expect(logged).toEqual(['firewall: nftables, since its rules could be made here'])
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

  it('probes only families that the kernel supports', async () => {
    const { backend, commands } = await choose('iptables', undefined, [4])
    expect(backend.families).toEqual([4])
    expect(commands.slice(0, 2)).toEqual(['iptables-nft-restore --noflush --wait 5', 'conntrack -L -f ipv4'])
    expect(commands.filter((command) => command.startsWith('ip6'))).toEqual([])
  })

  it('forwards even if connections cannot be listed, with a warning', async () => {
    const { backend, logged } = await choose('iptables', failing('conntrack'))
    expect(logged[0]).toMatch(/^warning: connections are neither listed nor ended: conntrack failed: Protocol not/)
    expect(await backend.firewall.endFlows()).toBe(0)
  })

  const all = ['nft', ...['iptables', 'ip6tables'].flatMap((name) => [`${name}-nft-restore`, `${name}-legacy-restore`])]
  it.each<[BackendMode, string[], string]>([
    ['auto', all, 'nf_tables with NAT, and the image nft, or'],
    ['nftables', ['nft'], 'nf_tables with NAT, and the image nft.'],
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
