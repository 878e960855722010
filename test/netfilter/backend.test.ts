import { describe, expect, it } from 'vitest'
import type { Family } from '../../lib/address.ts'
import { CommandError, type RunCommand } from '../../lib/command.ts'
import { type BackendMode, chooseBackend } from '../../netfilter/backend.ts'
import { emptyTable } from '../../netfilter/table.ts'
import { ingressTable } from './tables.ts'

/** Chooses where each command ends like this. */
async function choose(mode: BackendMode, run: RunCommand = async () => '', families: readonly Family[] = [4, 6]) {
  const [commands, said]: [string[], string[]] = [[], []]
  const backend = await chooseBackend(mode, {
    run: (program, args, options) => {
      commands.push([program, ...args].join(' '))
      return run(program, args, options)
    },
    runAhead: () => async () => '',
    families,
    localAddresses: () => [],
    log: (line) => said.push(line),
  })
  return { backend, commands, said }
}

/** Has these programs fail with their own words. */
const failing =
  (...programs: string[]): RunCommand =>
  async (program) => {
    if (!programs.includes(program)) return ''
    throw new CommandError(`${program} failed: Protocol not supported`, { exitCode: 3 })
  }

const alive = () => false

describe('chooseBackend', () => {
  it('takes nftables, once it has been tried', async () => {
    const { backend, commands, said } = await choose('auto')
    expect(backend.name).toBe('nftables')
    expect(commands).toEqual(['nft -f -'])
    expect(said).toEqual(['firewall: nftables, since its rules could be made and deleted here'])
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
  ])('takes for %s without %j: %s, for IPv%j', async (mode, lacking, name, families, reason) => {
    const { backend, said } = await choose(mode, failing(...lacking))
    expect({ name: backend.name, families: backend.families }).toEqual({ name, families })
    expect(backend.reason).toMatch(reason)
    expect(said).toEqual([`firewall: ${name}, since ${backend.reason}`])
  })

  it('tries no family that the kernel lacks', async () => {
    const { backend, commands } = await choose('iptables', undefined, [4])
    expect(backend.families).toEqual([4])
    expect(commands).toEqual(['iptables-nft-restore --noflush --wait 5', 'conntrack -L -f ipv4'])
  })

  it('forwards where connections cannot be listed, and says so', async () => {
    const { backend, said } = await choose('iptables', failing('conntrack'))
    expect(said[0]).toMatch(/^warning: connections are neither listed nor ended: conntrack failed: Protocol not/)
    expect(await backend.firewall.endFlows()).toBe(0)
  })

  const all = ['nft', ...['iptables', 'ip6tables'].flatMap((name) => [`${name}-nft-restore`, `${name}-legacy-restore`])]
  it.each<[BackendMode, string[], string]>([
    ['auto', all, 'nf_tables with NAT, and the image nft, or'],
    ['nftables', ['nft'], 'nf_tables with NAT, and the image nft.'],
    ['iptables', all.slice(1), 'nf_tables or ip_tables'],
  ])('says for %s what each said where none can be used', async (mode, programs, needs) => {
    const refused = choose(mode, failing(...all))
    for (const program of programs) {
      await expect(refused).rejects.toMatchObject({
        code: 'privilege',
        message: expect.stringContaining(`${program} failed: Protocol not supported`),
        remedy: expect.stringContaining(needs),
      })
    }
  })

  it('keeps the rules in memory where it is to, and runs nothing', async () => {
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
