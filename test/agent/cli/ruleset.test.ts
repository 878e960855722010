import { expect, it } from 'vitest'
import { renderRuleset, rulesetAsDot, rulesetInWords, type RulesetAnswer } from '../../../agent/cli/ruleset.ts'

const traffic = { toBytes: 2048, fromBytes: 10, connections: 3, refused: 1 }
const answer: RulesetAnswer = {
  firewall: 'nftables',
  device: 'tailscale0',
  mappings: [
    { from: 'tailnet', address: '100.64.0.1', exempt: [], to: ['10.0.0.9', '10.0.0.10'], seen: 'Pod' },
    {
      from: 'tailnet',
      address: '100.99.0.1',
      ports: ['tcp/80', 'udp/53'],
      exempt: [],
      to: ['10.0.0.9'],
      service: 'svc:"a"',
    },
    {
      from: 'cluster',
      ports: ['tcp/10000'],
      exempt: [],
      to: ['100.64.0.2:443'],
      seen: '100.64.0.1',
      service: 'db',
      traffic,
    },
    { from: 'cluster', exempt: ['tcp/9002', 'udp/41641'], to: ['100.64.0.3'], seen: '100.64.0.1' },
  ],
  refusesUnmapped: true,
}

it('says what the rules mean, a sentence for each mapping', () => {
  expect(rulesetInWords(answer).split('\n')).toEqual([
    'Rules of nftables, for new flows; packets to the tailnet leave through tailscale0, or are dropped.',
    'From the tailnet, to 100.64.0.1: to one of 2, at random: 10.0.0.9, 10.0.0.10, seen as the Pod.',
    'From the tailnet, to 100.99.0.1, tcp/80, udp/53 (svc:"a"): to 10.0.0.9, seen as the client’s own address.',
    'From the cluster, to the Pod, tcp/10000 (db): to 100.64.0.2:443, seen as 100.64.0.1.',
    '  2.0 KiB there, 10 B back, 3 connections, 1 refused',
    'From the cluster, to the Pod, all ports but tcp/9002, udp/41641: to 100.64.0.3, seen as 100.64.0.1.',
    'From the tailnet, to a Tailscale Service that is not listed here: refused.',
    '',
  ])
})

it.each<[string, RulesetAnswer, RegExp]>([
  ['no rules', { device: 'tailscale0', refusesUnmapped: false }, /^This agent writes no rules/],
  ['no rules yet', { firewall: 'iptables', device: 'ts0', refusesUnmapped: false }, /\nNo rules are in place yet/],
  [
    'an empty table',
    { firewall: 'iptables', device: 'ts0', refusesUnmapped: false, mappings: [] },
    /\nNothing is forw/,
  ],
])('says that there are %s', (_name, given, text) => {
  expect(rulesetInWords(given)).toMatch(text)
})

it('draws them in the language of Graphviz', () => {
  expect(rulesetAsDot(answer).split('\n')).toEqual([
    'digraph culvert {',
    '  rankdir=LR',
    '  node [shape=box]',
    '  "from the tailnet" -> "100.64.0.1"',
    '  "100.64.0.1" -> "10.0.0.9" [label="as the Pod"]',
    '  "100.64.0.1" -> "10.0.0.10" [label="as the Pod"]',
    String.raw`  "from the tailnet" -> "100.99.0.1, tcp/80, udp/53" [label="svc:\"a\""]`,
    '  "100.99.0.1, tcp/80, udp/53" -> "10.0.0.9" [label="as the client’s own address"]',
    '  "from the cluster" -> "the Pod, tcp/10000" [label="db"]',
    '  "the Pod, tcp/10000" -> "100.64.0.2:443" [label="as 100.64.0.1"]',
    '  "from the cluster" -> "the Pod, all ports but tcp/9002, udp/41641"',
    '  "the Pod, all ports but tcp/9002, udp/41641" -> "100.64.0.3" [label="as 100.64.0.1"]',
    '}',
    '',
  ])
})

it('gives the form that the flags ask for', async () => {
  const body = JSON.stringify(answer)
  const given = (flag: string) => renderRuleset(body, new Map([[flag, 'true']]))
  expect(await renderRuleset(body, new Map())).toBe(rulesetInWords(answer))
  expect(await given('dot')).toBe(rulesetAsDot(answer))
  expect(await given('json')).toBe(body)
})
