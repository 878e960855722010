import { describe, expect, it } from 'vitest'
import { CommandError, type RunCommand } from '../../lib/command.ts'
import { type BackendMode, chooseBackend } from '../../netfilter/backend.ts'
import { emptyTable } from '../../netfilter/table.ts'
import { ingressTable } from './tables.ts'

/** Chooses where each command ends like this. */
async function choose(mode: BackendMode, run: RunCommand = async () => '') {
  const [commands, said]: [string[], string[]] = [[], []]
  const backend = await chooseBackend(mode, {
    run: (program, args, options) => {
      commands.push([program, ...args].join(' '))
      return run(program, args, options)
    },
    runAhead: () => async () => '',
    localAddresses: () => [],
    log: (line) => said.push(line),
  })
  return { backend, commands, said }
}

const alive = () => false

describe('chooseBackend', () => {
  it.each(['auto', 'nftables'] as const)('takes nftables for %s, once it has been tried', async (mode) => {
    const { backend, commands, said } = await choose(mode)
    expect(backend.name).toBe('nftables')
    expect(commands).toEqual(['nft -f -'])
    expect(said).toEqual(['firewall: nftables, since its rules could be made and deleted here'])
  })

  it('says what nft said where it cannot be used', async () => {
    const failing = async () => {
      throw new CommandError('nft failed: Operation not permitted', { exitCode: 1 })
    }
    await expect(choose('auto', failing)).rejects.toMatchObject({
      code: 'privilege',
      message: 'nftables cannot be used in this network namespace',
      cause: { cause: { message: 'nft failed: Operation not permitted' } },
    })
  })

  it('refuses iptables by name', async () => {
    await expect(choose('iptables')).rejects.toMatchObject({
      code: 'settings',
      message: 'TS_DEBUG_FIREWALL_MODE=iptables: this version of Culvert forwards with nftables only',
    })
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
