import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Bed, startBed } from '../lab/bed.ts'
import { ask, startEcho, startTraffic } from '../lab/traffic/traffic.ts'
import { withoutNftables } from '../lab/hosts/without-nftables.ts'
import { noEntries, printLogsOnFailure } from '../lab/vitest.ts'
import { firewallEnv, nfTables, without } from './firewall.ts'
import { Group, groupBed, groupFiles } from './group.ts'
import { leftovers, nothingLeft, Proxy } from './proxy.ts'

// Forwarding with iptables. One agent uses all modes of ingress at once, and one of egress.
let bed: Bed<'db' | 'proxy' | 'app'>
beforeAll(async () => {
  bed = await startBed(groupBed)
  await startEcho(bed.host('db'))
  await startEcho(bed.host('app'))
})
afterAll(() => bed.down())
beforeEach(() => printLogsOnFailure(bed))

const changes: readonly [string, string][] = [
  ['a chain emptied', '-t nat -F CULVERT-TCP'],
  ['a rule before all others', '-t nat -I CULVERT-TCP -j RETURN'],
  ['a port forwarded elsewhere', '-t nat -R CULVERT-TCP 2 -p tcp -j DNAT --to 10.98.0.11:1'],
  ['a jump deleted', '-t mangle -D PREROUTING -i tailscale0 -j CULVERT-ROUTE'],
  ['a table flushed', '-t mangle -F'],
]

describe.each([
  ['iptables-nft', /TS_DEBUG_FIREWALL_MODE is iptables; iptables-nft for IPv4 and ip6tables-nft for IPv6/],
  ['iptables-legacy', /^iptables-legacy for IPv4 and ip6tables-legacy for IPv6.*Protocol not supported/],
] as const)('%s', (name, reason) => {
  let group: Group
  let proxy: Proxy
  beforeAll(async () => {
    group = await Group.make(bed, name)
    await group.write(groupFiles(1))
  })
  beforeEach(async () => {
    proxy ??= await Proxy.ready(bed, {
      ...group.env('egress'),
      ...group.env('ingress'),
      TS_TAILNET_TARGET_FQDN: 'db.lab.ts.net',
      TS_AUTHKEY: await bed.authKey(),
      ...(await firewallEnv(bed.host('proxy'), name)),
    })
    await proxy.until(({ ready }) => ready)
  })
  const own = (family: 4 | 6): string => (family === 4 ? name : name.replace('ip', 'ip6'))
  /** All our rules, and the jumps to them, of both families. */
  const list = async (): Promise<string> => {
    const listed = await Promise.all([4, 6].map((family) => proxy.host.exec([`${own(family as 4)}-save`])))
    return listed.flatMap(({ stdout }) => stdout.split('\n').filter((line) => line.includes('CULVERT'))).join('\n')
  }
  const repairs = async (): Promise<number> => (await proxy.status()).reconcilers['forwarding']?.repairs ?? 0
  const carries = async (port = 10_000): Promise<void> => {
    for (const [to, at] of [
      [proxy.host.address.v4, port],
      [proxy.host.address.v6, 7000],
    ] as const)
      expect(await ask(bed.host('app'), { to: String(to), port: at, protocol: 'tcp' })).toMatchObject({ host: 'db' })
  }

  it('is chosen, with a logged reason, and passed to tailscaled', async () => {
    expect((await proxy.status()).firewall).toEqual({ name: 'iptables', reason: expect.stringMatching(reason) })
    expect(proxy.lines.join('\n')).toMatch(/^boot: .* firewall: iptables, since /m)
    const { stdout } = await proxy.host.exec([`${name}-save`])
    expect(stdout).toContain(':CULVERT-GUARD ')
    expect(stdout).toContain(':ts-forward ')
    expect((await proxy.host.exec(['nft', 'list', 'tables'])).stdout).not.toContain('culvert')
    const traced = await proxy.command('trace', 'tcp', `${proxy.host.address.v4}:10000`)
    expect(traced.stdout).toMatch(/ is forwarded to 100\.\S+, seen there as 100\..*\n.*"nat CULVERT-TCP"/)
    await carries()
  })

  it.each(changes)('%s by another program is repaired and counted', async (_name, change) => {
    const [before, had] = [await list(), await repairs()]
    await proxy.host.exec([own(4), '-w', ...change.split(' ')])
    await expect.poll(list, { interval: 50 }).toBe(before)
    // One more if tailscaled has put its rules before ours meanwhile.
    await expect.poll(repairs).toBeGreaterThan(had)
    await proxy.process.line(/rules of iptables were changed by another program: IPv4: CULVERT-/)
    await carries()
  })

  it('flows go on while services are added and removed', async () => {
    const flow = await startTraffic(bed.host('app'), {
      to: String(proxy.host.address.v4),
      port: 10_000,
      protocol: 'tcp',
      every: 20,
    })
    for (const count of [40, 2, 300, 1]) {
      await group.write(groupFiles(count))
      const told = () => group.status<{ services: object }>('egress-services')
      await expect.poll(async () => Object.keys((await told())?.services ?? {})).toHaveLength(count)
      await carries(10_000 + count - 1)
    }
    expect(await flow.stop()).toMatchObject({ lost: 0, errors: noEntries })
  })

  it('leaves nothing behind', async () => {
    await proxy.process.stop()
    await nothingLeft(proxy.host)
    await proxy.host.exec(['sh', '-c', `for i in ip ip6; do $i''tables-nft -F; $i''tables-legacy -F; done`])
  })
})

describe('on a node that lacks', () => {
  const target = async () => ({ TS_DEST_IP: '10.98.0.11,fd98::11', TS_AUTHKEY: await bed.authKey() })
  const legacy6 = ['ip6tables-legacy-restore', 'ip6tables-legacy-save']

  it('NETLINK_NETFILTER, the agent forwards with iptables-legacy, and does not end connections', async () => {
    const path = await without(bed.host('proxy'), [], { iptables: 'iptables-legacy', ip6tables: 'ip6tables-legacy' })
    const proxy = await Proxy.start(bed, { ...(await target()), ...path }, { wrap: withoutNftables() })
    await proxy.until(({ ready }) => ready)
    await proxy.process.line(/warning: connections are neither listed nor ended: conntrack/)
    const { v4, v6 } = await proxy.own()
    for (const to of [v4, v6]) expect(await ask(bed.host('db'), { to, protocol: 'tcp' })).toMatchObject({ host: 'app' })
    await proxy.process.stop()
    // Existing connections would leave unencrypted without these rules.
    const others = async () => (await leftovers(proxy.host)).filter((line) => !line.includes('CULVERT'))
    await expect.poll(others).toEqual([])
    expect((await proxy.host.exec(['iptables-legacy-save'])).stdout).toMatch(/^-A POSTROUTING .*-j CULVERT-GUARD$/m)
    const clear =
      'for i in iptables ip6tables; do for t in nat mangle; do $i-legacy -t $t -F; $i-legacy -t $t -X; done; done'
    await proxy.host.exec(['sh', '-c', clear])
  })

  it('ip6tables, the agent forwards IPv4 and reports that it does not forward IPv6', async () => {
    const path = await without(bed.host('proxy'), [...nfTables, ...legacy6], { iptables: 'iptables-legacy' })
    await using proxy = await Proxy.ready(bed, { ...(await target()), ...path })
    const { targets, firewall } = await proxy.until(({ ready }) => ready)
    expect(targets.map(({ forwarded }) => forwarded)).toEqual([true, false])
    expect(targets[1]?.problem).toContain('IPv6')
    expect(firewall?.reason).toMatch(/no IPv6: .*ip6tables-legacy-restore/)
    const { v4 } = await proxy.own()
    expect(await ask(bed.host('db'), { to: v4, protocol: 'tcp' })).toMatchObject({ host: 'app' })
  })

  it('a list of connections, the agent uses iptables', async () => {
    await using proxy = await Proxy.ready(bed, {
      ...(await target()),
      ...(await without(bed.host('proxy'), ['conntrack'])),
    })
    const { firewall } = await proxy.until(({ ready }) => ready)
    expect(firewall).toMatchObject({
      name: 'iptables',
      reason: expect.stringMatching(/nftables cannot be used.*conntrack/),
    })
    const { v4 } = await proxy.own()
    expect(await ask(bed.host('db'), { to: v4, protocol: 'tcp' })).toMatchObject({ host: 'app' })
  })

  it('nft_numgen, the agent uses iptables for several backends', async () => {
    const path = await without(bed.host('proxy'), [])
    const input = `#!/bin/sh
[ "$1" = -f ] || exec /usr/sbin/nft "$@"
input=$(cat)
case "$input" in *numgen*) echo 'Error: Could not process rule: No such file or directory' >&2; exit 1 ;; esac
printf '%s\\n' "$input" | /usr/sbin/nft "$@"
`
    await bed.host('proxy').exec(['sh', '-c', 'cat > "$0" && chmod +x "$0"', '/tmp/programs/nft'], { input })
    const env = { ...(await target()), ...path }
    await using proxy = await Proxy.ready(bed, { ...env, TS_DEST_IP: '10.98.0.11,10.98.0.12' })
    const { firewall } = await proxy.until(({ ready }) => ready)
    expect(firewall?.reason).toMatch(/nftables cannot be used: several backends need nft_numgen.*Load nft_numgen/)
  })

  it('any firewall, the agent ends with the error of each', async () => {
    const lacking = [...nfTables, ...legacy6, 'iptables-legacy-restore']
    const path = await without(bed.host('proxy'), lacking)
    const proxy = await Proxy.start(bed, { ...(await target()), ...path })
    const { code, reason } = await proxy.ended()
    expect(code).toBe(1)
    for (const name of ['nft', 'iptables-nft-restore', 'iptables-legacy-restore', 'ip6tables-legacy-restore']) {
      expect(reason).toContain(`${name}: Failed`)
    }
    expect(reason).toContain('The node’s kernel needs nf_tables')
    await nothingLeft(bed.host('proxy'))
  })

  it('the firewall that is set, the agent ends and uses no other', async () => {
    const path = await without(bed.host('proxy'), nfTables)
    const proxy = await Proxy.start(bed, { ...(await target()), ...path, TS_DEBUG_FIREWALL_MODE: 'nftables' })
    const { code, reason } = await proxy.ended()
    expect(code).toBe(1)
    expect(reason).toMatch(/nftables cannot be used.*nft: Failed/)
    expect(reason).not.toContain('iptables-legacy')
  })
})

describe('a change of iptables-legacy', () => {
  const host = () => bed.host('proxy')
  let group: Group
  let proxy: Proxy
  beforeAll(async () => {
    group = await Group.make(bed, 'half')
    await group.write(groupFiles(1))
  })
  beforeEach(async () => {
    proxy ??= await Proxy.ready(bed, {
      ...group.env('egress'),
      TS_AUTHKEY: await bed.authKey(),
      ...(await firewallEnv(host(), 'iptables-legacy')),
    })
    await proxy.until(({ ready }) => ready)
  })
  afterAll(() => proxy.process.stop())

  const asked = (family: 4 | 6, port: number) =>
    ask(bed.host('app'), { to: String(host().address[`v${family}`]), port, protocol: 'tcp' })
  const problem = async (): Promise<string> => (await proxy.status()).checks['forwarding']?.reason ?? ''
  /** Runs traffic through the first service meanwhile, which must lose nothing. */
  const underTraffic = async (work: () => Promise<void>): Promise<void> => {
    const to = String(host().address.v6)
    const flow = await startTraffic(bed.host('app'), { to, port: 10_000, protocol: 'tcp', every: 50 })
    await work()
    expect(await flow.stop()).toMatchObject({ lost: 0, errors: noEntries })
  }

  it('is made in one family while the other fails, and completed later', async () => {
    await underTraffic(async () => {
      await without(host(), [...nfTables, 'ip6tables-legacy-restore'])
      await group.write(groupFiles(2))
      await expect.poll(problem).toMatch(/IPv6 rules could not be reached: ip6tables-legacy-restore failed/)
      expect(await asked(4, 10_001)).toMatchObject({ host: 'db' })
      await expect(asked(6, 10_001)).rejects.toThrow('ECONNREFUSED')
      await firewallEnv(host(), 'iptables-legacy')
      await expect.poll(problem).toBe('')
      expect(await asked(6, 10_001)).toMatchObject({ host: 'db' })
    })
  })

  it('waits for a lock that another program holds, names it, and is made once it is free', async () => {
    await underTraffic(async () => {
      const hold = ['flock', '--no-fork', '/run/xtables.lock', 'sh', '-c', 'echo held; exec sleep 600']
      const holder = await host().spawn(hold, { name: 'holder' })
      await holder.line(/held/)
      await group.write(groupFiles(3))
      await expect.poll(problem).toMatch(/holding the xtables lock.*find and stop it/)
      await holder.stop()
      await expect.poll(problem).toBe('')
      for (const family of [4, 6] as const) expect(await asked(family, 10_002)).toMatchObject({ host: 'db' })
    })
  })
})
