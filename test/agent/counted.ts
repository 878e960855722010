import { expect } from 'vitest'
import type { Counts } from '../../netfilter/traffic.ts'
import type { Host } from '../lab/hosts/host.ts'
import { ask, startTraffic } from '../lab/traffic/traffic.ts'
import { firewall } from './firewall.ts'
import type { Proxy } from './proxy.ts'

/** A port, and for which service its traffic counts. */
type Counted = { readonly port: number; readonly service: string }

const [count, padding] = [20, 50_000]

/**
 * Sends a megabyte to an address of each family and back, and once to a port where nobody listens, and expects that the
 * agent counts that for these services. A slow machine sends some of it twice.
 */
export async function expectCounted(
  proxy: Proxy,
  from: Host,
  to: Readonly<Record<'v4' | 'v6', string | undefined>>,
  { open, closed }: { readonly open: Counted; readonly closed: Counted },
): Promise<void> {
  if (firewall !== 'nftables') {
    expect((await proxy.status()).traffic).toMatchObject({ problem: expect.stringContaining('iptables'), services: [] })
    return
  }
  const counts = async (name: string): Promise<Counts> => {
    const { traffic } = await proxy.status()
    expect(traffic).toMatchObject({ problem: null })
    return traffic!.services.find(({ service }) => service === name)!
  }
  const all = async () => ({ open: await counts(open.service), closed: await counts(closed.service) })
  const before = await all()
  for (const address of [to.v4, to.v6].map(String)) {
    const traffic = await startTraffic(from, {
      to: address,
      port: open.port,
      protocol: 'tcp',
      padding,
      count,
      every: 1,
    })
    expect(await traffic.done()).toMatchObject({ answered: count, lost: 0 })
    await expect(ask(from, { to: address, port: closed.port, protocol: 'tcp' })).rejects.toThrow('ECONNREFUSED')
  }
  const after = await all()
  const own = open.service === closed.service ? 4 : 2
  expect(after.open.connections - before.open.connections).toBeGreaterThanOrEqual(own)
  for (const way of ['toBytes', 'fromBytes'] as const) {
    // Headers, too.
    const bytes = after.open[way] - before.open[way]
    expect(bytes).toBeGreaterThan(2 * count * padding)
    expect(bytes).toBeLessThan(4 * count * padding)
  }
  expect(after.closed.refused - before.closed.refused).toBeGreaterThanOrEqual(2)
  const shown = (await proxy.command('status')).stdout
  expect(shown).toMatch(new RegExp(` ${open.service}: .* there, .* back, \\d+ connections, \\d+ refused$`, 'm'))
  expect((await proxy.command('ruleset')).stdout).toMatch(/^ {2}\d+\.\d [KM]iB there, /m)
}
