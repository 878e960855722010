import { expect, it } from 'vitest'
import { fateInWords, fateOf, type Packet } from '../../../agent/cli/fate.ts'
import { readPacket } from '../../../agent/cli/trace.ts'
import { outline } from '../../../netfilter/nftables/render.ts'
import { everything, spreading } from '../../../netfilter/probes.ts'
import type { Ruleset } from '../../../agent/forwarding/ruleset.ts'

const mapping = { family: 4, exempt: [], service: undefined, ports: undefined, traffic: undefined } as const
const tailnet = { ...mapping, from: 'tailnet', seen: 'Pod' } as const
const cluster = { ...mapping, from: 'cluster', address: undefined, seen: '100.64.0.1' } as const
const ruleset: Ruleset = {
  firewall: 'nftables',
  device: 'tailscale0',
  mappings: [
    { ...tailnet, address: '100.64.0.1', to: ['10.0.0.9', '10.0.0.10'] },
    { ...tailnet, family: 6, address: 'fd7a:115c:a1e0::1', to: ['fd00::9'], seen: undefined },
    {
      ...tailnet,
      address: '100.99.0.1',
      ports: ['tcp/80', 'udp/5000-5010', 'tcp/443:8443'],
      to: ['10.0.0.9'],
      service: 'svc:web',
    },
    { ...cluster, ports: ['tcp/10000'], to: ['100.64.0.2:443'], service: 'db' },
    { ...cluster, exempt: ['tcp/9002'], to: ['100.64.0.3'] },
  ],
  refusesUnmapped: true,
}
const local = new Set(['10.0.0.5', 'fd00::5', '100.64.0.1', '100.64.0.8'])
const packet = (text: string): Packet => {
  const [protocol = '', to = '', from] = text.split(' ')
  return readPacket(
    new Map([['PROTOCOL', protocol], ['ADDRESS:PORT', to], ...(from ? ([['from', from]] as const) : [])]),
  )
}
const words = (text: string, change: Partial<Ruleset> = {}): string => {
  const given = packet(text)
  return fateInWords(given, fateOf(given, { ...ruleset, ...change }, local))
}

it.each([
  [
    'tcp 100.64.0.1:22',
    'A new TCP connection from the tailnet to 100.64.0.1:22 is forwarded to one of 2, at random: 10.0.0.9:22, 10.0.0.10:22, seen there as the Pod.\nThe rule that decides is "translate: ingress: own address to one of its backends".\n',
  ],
  [
    'udp [fd7a:115c:a1e0::1]:53',
    'A new UDP flow from the tailnet to [fd7a:115c:a1e0::1]:53 is forwarded to [fd00::9]:53, seen there as the client’s own address.\nThe rule that decides is "translate: ingress: own address to backend".\n',
  ],
  [
    'tcp 100.99.0.1:80',
    /forwarded to 10\.0\.0\.9:80, .* \(svc:web\)\.\n.*"translate: ingress: tcp ports to a backend"/,
  ],
  ['tcp 100.99.0.1:443', /to 10\.0\.0\.9:8443, [\s\S]*"translate: ingress: tcp ports to other ports of a backend"/],
  ['udp 100.99.0.1:5010', /to 10\.0\.0\.9:5010, [\s\S]*"translate: ingress: udp ports to a backend"/],
  ['udp 100.99.0.1:5011', /is refused: .*\n.*"route: refuse: no such service"/],
  ['tcp 100.64.0.8:80', /stays here, for tailscaled, or a program .*\nNo rule matches\./],
  ['tcp 10.0.0.77:80 tailnet', /is left to the kernel’s routes: 10\.0\.0\.77 is no address of this node/],
  [
    'tcp 10.0.0.5:10000',
    /from the cluster .* to 100\.64\.0\.2:443, seen there as 100\.64\.0\.1 \(db\)\.\n.*"translate: egress: port to target"/,
  ],
  ['tcp 10.0.0.5:9002', /stays here, for the agent or tailscaled.*\n.*"translate: egress: the Pod’s own ports"/],
  ['udp 10.0.0.5:9002', /to 100\.64\.0\.3:9002, [\s\S]*"translate: egress: everything to target"/],
  ['tcp [fd00::5]:80', /stays here, for a program that listens in the Pod\.\nNo rule matches\./],
  ['tcp 10.0.0.6:80', /left to the kernel’s routes: [\s\S]*"translate: egress: only what is addressed to the Pod"/],
] as const)('%s', (text, expected) => {
  if (typeof expected === 'string') expect(words(text)).toBe(expected)
  else expect(words(text)).toMatch(expected)
})

it.each([
  ['tcp 100.64.0.1:22', 'nat CULVERT-IN'],
  ['udp 100.99.0.1:5011', 'filter CULVERT-FORWARD'],
  ['tcp 10.0.0.5:10000', 'nat CULVERT-TCP'],
  ['tcp 10.0.0.5:9002', 'nat CULVERT-TCP'],
  ['udp 10.0.0.5:9002', 'nat CULVERT-ALL'],
  ['tcp 10.0.0.6:80', 'nat PREROUTING'],
])('names the chain of iptables for %s', (text, rule) => {
  expect(words(text, { firewall: 'iptables' })).toContain(`\nThe rule that decides is "${rule}".\n`)
})

it.each([
  'tcp 100.64.0.1:22',
  'udp [fd7a:115c:a1e0::1]:53',
  'tcp 100.99.0.1:80',
  'tcp 100.99.0.1:443',
  'udp 100.99.0.1:5011',
  'tcp 10.0.0.5:10000',
  'tcp 10.0.0.5:9002',
  'udp 10.0.0.5:9002',
  'tcp 10.0.0.6:80',
])('names a rule that there is in nftables for %s', (text) => {
  const ports = [{ protocol: 'tcp', first: 443, last: 443, to: 8443 }] as const
  const toOthers = { ...everything, ingressByPort: { 4: { addresses: [], backends: [], ports }, 6: undefined } }
  const there = [everything, spreading, toOthers].flatMap(outline)
  expect(there).toContain(fateOf(packet(text), ruleset, local).rule)
})

it.each([
  [{ firewall: undefined }, /this agent writes no rules/],
  [{ mappings: undefined }, /no rules are in place yet/],
])('of %j, it says that there are none', (change, expected) => {
  expect(words('tcp 100.64.0.1:80', change)).toMatch(expected)
})

it.each([
  ['icmp 100.64.0.1:80', /takes tcp or udp/],
  ['tcp 100.64.0.1', /takes an address with a port/],
  ['tcp web:80', /takes an address with a port/],
  ['tcp 100.64.0.1:80 internet', /--from takes tailnet or cluster/],
])('refuses %s', (text, expected) => {
  expect(() => packet(text)).toThrow(expected)
})
