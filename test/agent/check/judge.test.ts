import { describe, expect, it } from 'vitest'
import { judgeConfig } from '../../../agent/check/config.ts'
import { largestThatArrives } from '../../../agent/check/datagram.ts'
import { judgeDns } from '../../../agent/check/dns.ts'
import { judgeChosen, judgeProbed } from '../../../agent/check/firewall.ts'
import { judgeForwarding } from '../../../agent/check/forwarding.ts'
import { judgeBackend } from '../../../agent/check/mtu.ts'
import { judgeOverlap } from '../../../agent/check/overlap.ts'
import { judgePaths, readReport } from '../../../agent/check/paths.ts'
import type { Peer } from '../../../agent/check/peers.ts'
import { judgeAgent } from '../../../agent/check/running.ts'
import { parseAddress } from '../../../lib/address.ts'
import { CulvertError } from '../../../lib/errors.ts'
import { type Finding, lineOf } from '../../../lib/finding.ts'

const clock = { date: () => new Date('2026-11-30T12:00:00Z') }
const ids = (findings: readonly Finding[]): string[] => findings.map(({ check }) => check)
const refused = new CulvertError('netfilter', 'no nf_tables', { remedy: 'Load it.' })

describe('firewall', () => {
  const nft = { name: 'nftables' } as const
  const iptables = { name: 'iptables' } as const
  it.each([
    ['both', [nft, iptables], 'auto', false, 'firewall'],
    ['iptables alone', [{ ...nft, refused }, iptables], 'auto', false, 'firewall.fallback'],
    ['iptables, which is set', [{ ...nft, refused }, iptables], 'iptables', false, 'firewall'],
    ['iptables, where nftables is set', [{ ...nft, refused }, iptables], 'nftables', false, 'firewall.none'],
    [
      'none',
      [
        { ...nft, refused },
        { ...iptables, refused },
      ],
      'auto',
      false,
      'firewall.none',
    ],
    ['no choice of backends, and one backend', [{ ...nft, lacks: refused }], 'nftables', false, 'firewall'],
    ['no choice of backends', [{ ...nft, lacks: refused }], 'nftables', true, 'firewall.several'],
    [
      'a choice of backends only in iptables',
      [{ ...nft, lacks: refused }, iptables],
      'auto',
      true,
      'firewall.fallback',
    ],
  ] as const)('%s', (_name, probed, mode, several, id) => {
    expect(ids(judgeProbed(probed, mode, several))).toEqual([id])
  })

  it('says of the running agent why it uses iptables', () => {
    const reason = 'iptables-nft for IPv4; nftables cannot be used: nft failed'
    expect(judgeChosen({ name: 'iptables', reason })[0]?.message).toBe(
      'iptables is used, since nftables cannot be: nft failed',
    )
    expect(ids(judgeChosen({ name: 'iptables', reason: 'TS_DEBUG_FIREWALL_MODE is iptables' }))).toEqual(['firewall'])
  })
})

describe('forwarding', () => {
  const none = { userspace: false, forwardedFamilies: [], advertisedFamilies: [], forwardsAny: false }
  const states = (four: 'on' | 'off' | 'fixed', six: 'on' | 'off' | 'fixed') =>
    [
      { family: 4, state: four },
      { family: 6, state: six },
    ] as const
  it.each([
    ['on', states('on', 'on'), { forwardedFamilies: [4, 6] }, false, ['forwarding']],
    ['off, to be switched on', states('off', 'on'), { forwardedFamilies: [4] }, false, ['forwarding']],
    ['fixed', states('fixed', 'on'), { forwardedFamilies: [4] }, false, ['forwarding.off']],
    ['fixed, but not needed', states('fixed', 'on'), { forwardedFamilies: [6] }, false, ['forwarding']],
    ['switched off since', states('off', 'on'), { forwardedFamilies: [4] }, true, ['forwarding.lost']],
    ['one of both', states('on', 'fixed'), { forwardsAny: true }, false, ['forwarding.partly']],
    ['none of both', states('fixed', 'fixed'), { forwardsAny: true }, false, ['forwarding.off', 'forwarding.off']],
    ['userspace', states('fixed', 'fixed'), { userspace: true, forwardsAny: true }, false, ['forwarding']],
  ] as const)('%s', (_name, given, settings, isRunning, expected) => {
    expect(ids(judgeForwarding(given, { ...none, ...settings }, isRunning))).toEqual(expected)
  })
})

describe('mtu', () => {
  const way = { device: 'eth0', mtu: 1500 }
  it.each([
    [way, 1500, ['mtu']],
    [way, 0, ['mtu.silent']],
    [way, 1400, ['mtu.blackHole']],
    [{ device: 'eth0', mtu: 1300 }, 1300, ['mtu', 'mtu.device']],
    [{ device: 'lo', mtu: 65_536 }, 9000, ['mtu']],
  ])('%j, packets of %i bytes arrive: %j', (given, bytes, expected) => {
    expect(ids(judgeBackend('10.0.0.9', given, bytes))).toEqual(expected)
  })

  it('finds the largest usual size that arrives', async () => {
    for (const limit of [0, 99, 100, 576, 1000, 1279, 1280, 1399, 1400, 1499, 1500, 9000]) {
      const asked: number[] = []
      const found = await largestThatArrives(1500, async (bytes) => {
        asked.push(bytes)
        return bytes <= limit
      })
      expect(found).toBeLessThanOrEqual(limit)
      if (limit >= 1500) expect(found).toBe(1500)
      if (limit >= 100) expect(found).toBeGreaterThanOrEqual(100)
      if ([576, 1000, 1280, 1400].includes(limit)) expect(found).toBe(limit)
      expect(asked.length).toBeLessThanOrEqual(6)
    }
  })
})

describe('paths', () => {
  const peer = (path: Peer['path']): Peer => ({ name: 'db', address: '100.64.0.2', path, via: 'nyc' })
  const open = { udp: true, hardNat: false }
  it.each([
    [open, [peer('direct'), peer('none')], ['paths']],
    [open, [], ['paths']],
    [open, [peer('derp')], ['paths.relayed']],
    [{ udp: false, hardNat: false }, [peer('derp')], ['paths.udpBlocked', 'paths.relayed']],
    [{ udp: false, hardNat: false }, [peer('direct'), peer('derp')], ['paths.udpBlocked', 'paths.relayed']],
    [{ udp: false, hardNat: false }, [], ['paths.udpBlocked']],
    [{ udp: false, hardNat: false }, [peer('direct')], ['paths']],
    [{ udp: true, hardNat: true }, [peer('derp'), peer('direct')], ['paths.hardNat', 'paths.relayed']],
    [{ udp: true, hardNat: true }, [peer('direct')], ['paths']],
  ])('%j, %j', (report, peers, expected) => {
    expect(ids(judgePaths(report, peers))).toEqual(expected)
  })

  it('says who is relayed, and where to look', () => {
    const line = (report: typeof open) =>
      judgePaths(report, [peer('derp')])
        .map(lineOf)
        .at(-1)
    expect(line(open)).toMatch(
      /^warning paths\.relayed: .*: db \(nyc\)\. UDP gets out of this Pod, so look at the other/,
    )
    expect(line({ ...open, udp: false })).toMatch(/See paths\.udpBlocked\.$/)
  })

  it('reads what tailscale netcheck prints, and nothing else', () => {
    expect(readReport('# Warning\n{"UDP":true,"MappingVariesByDestIP":"true"}')).toEqual({ udp: true, hardNat: true })
    expect(readReport('{"UDP":false,"MappingVariesByDestIP":null}')).toEqual({ udp: false, hardNat: false })
    expect(() => readReport('no netcheck')).toThrow('cannot be read')
  })
})

describe('overlap', () => {
  const used = (what: string, text: string) => ({ what, address: parseAddress(text)! })
  it.each([
    [[used('the Pod', '10.0.0.5')], [], ['overlap']],
    [[used('the Pod', '100.64.3.3')], [], ['overlap.range']],
    [[used('the Pod', 'fd7a:115c:a1e0::9')], [], ['overlap']],
    [[used('the resolver', '10.96.0.10')], [{ name: 'office', routes: ['10.0.0.0/8'] }], ['overlap.routes']],
    [[used('the resolver', '10.96.0.10')], [{ name: 'exit', routes: ['0.0.0.0/0', '192.168.0.0/16'] }], ['overlap']],
  ])('%j, routes %j: %j', (all, peers, expected) => {
    expect(ids(judgeOverlap(all, peers, true))).toEqual(expected)
  })

  it('does not mind the range where tailscaled does not filter', () => {
    expect(ids(judgeOverlap([used('the Pod', '100.64.3.3')], [], false))).toEqual(['overlap'])
  })
})

describe('dns', () => {
  const resolv = { servers: [], search: ['ns.svc.cluster.local', 'svc.cluster.local'], ndots: 5 }
  const answers = [{ server: '10.96.0.10', answer: { kind: 'none', exists: false } }] as const
  const silent = [{ server: '10.96.0.10', answer: { kind: 'failed', reason: '10.96.0.10: no answer' } }] as const
  const cluster = { addressFromEnv: true, host: '10.96.0.1', port: '', root: '' }
  const settings = { targetName: 'web', inKubernetes: true, tailnetTarget: undefined, cluster }
  const usual = { resolv, answers, target: undefined, magicDns: undefined }
  it.each([
    [{}, {}, ['dns']],
    [{ answers: [] }, {}, ['dns.none']],
    [{ answers: silent }, {}, ['dns.silent']],
    [{ target: 'web. does not exist (NXDOMAIN)' }, {}, ['dns.name']],
    [{ resolv: { ...resolv, search: ['example.net'] } }, {}, ['dns.search']],
    [{ resolv: { ...resolv, search: [] } }, { inKubernetes: false }, ['dns']],
    [{ resolv: { ...resolv, search: [] } }, { targetName: 'web.example.net' }, ['dns']],
    [
      { resolv: { ...resolv, search: [] } },
      { targetName: undefined, cluster: { ...cluster, addressFromEnv: false } },
      ['dns.search'],
    ],
    [{ magicDns: false }, {}, ['dns']],
    [{ magicDns: false }, { tailnetTarget: { kind: 'name', name: 'db.ts.net' } as const }, ['dns.magicDns']],
  ])('%j, %j: %j', (facts, change, expected) => {
    expect(ids(judgeDns({ ...usual, ...facts }, { ...settings, ...change }))).toEqual(expected)
  })
})

it('names each part of mounted files that cannot be used', () => {
  const rejected = [{ file: 'egress-services', entry: 'db', field: '', reason: 'it has no ports' }]
  expect(judgeConfig(rejected).map(lineOf)).toEqual([
    'error config.rejected: egress-services, db: it has no ports. Correct it in what is mounted; whoever made the file may have to be asked.',
  ])
  expect(ids(judgeConfig([]))).toEqual(['config'])
})

it('tells what the running agent and tailscaled complain about', () => {
  const status = {
    checks: { login: { state: 'ok', reason: null }, forwarding: { state: 'failing', reason: 'nft failed' } },
    node: { addresses: [], keyExpiry: null },
    tailscaled: { health: ['Please wait.'], version: '1.102.5' },
  }
  expect(judgeAgent({ status }, clock).map(lineOf)).toEqual([
    'error agent.failing: forwarding is failing: nft failed. docs/operations.md says for each check what to do.',
    'warning agent.health: tailscaled warns: Please wait. As it says.',
  ])
})

it.each([
  [null, ['agent']],
  ['2026-12-08T12:00:00Z', ['agent']],
  ['2026-12-06T12:00:00Z', ['agent.keyExpires']],
  ['2026-11-29T12:00:00Z', ['agent.keyExpires']],
])('of a key that expires at %s, it tells %j', (keyExpiry, expected) => {
  const status = {
    checks: {},
    node: { addresses: ['100.64.0.1'], keyExpiry },
    tailscaled: { health: [], version: null },
  }
  expect(ids(judgeAgent({ status }, clock))).toEqual(expected)
})
