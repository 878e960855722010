import { describe, expect, it } from 'vitest'
import { type Flow, classifyFlows } from '../../netfilter/flows.ts'
import { byFamily, emptyTable, type ForwardingTable, forwardingTable } from '../../netfilter/table.ts'
import { byPortTable, egressTable, ingressTable, severalTable, source } from './tables.ts'

const pod = '10.0.0.5'
const flow = (change: Partial<Flow>): Flow => ({
  family: 4,
  protocol: 'tcp',
  destination: pod,
  port: 10_000,
  answeredBy: 't',
  answeredFrom: 443,
  answeredTo: source[4],
  closed: false,
  ...change,
})
const udp = { protocol: 'udp' }
const from = egressTable([
  ['tcp . 10000', 't . 443'],
  ['udp . 10000', 't . 443'],
])
const all = (target: string | undefined): ForwardingTable =>
  forwardingTable({ ...emptyTable, catchAll: { 4: target, 6: undefined }, exempt: ['udp . 41641'], source })
const inward = { destination: 'p', answeredBy: 'b', answeredTo: pod }

const web = { ...inward, destination: source[4], port: 80, answeredFrom: 80 }
const [http, dns, other] = [
  byPortTable([{ protocol: 'tcp', first: 70, last: 90 }]),
  byPortTable([{ protocol: 'udp', first: 80, last: 80 }]),
  byPortTable([{ protocol: 'tcp', first: 80, last: 80, to: 81 }]),
]
const early = { ...udp, destination: source[4], answeredBy: source[4] }
const everything = ingressTable([[source[4], 'b']])

const keysOf = (sets: ForwardingTable['own']) => byFamily((family) => new Set(sets[family].keys()))
const two = (...backends: string[]): ForwardingTable => severalTable('p', backends)

type Outcome = 'ends' | 'stays' | 'drains'
const outcome = (one: Flow, before: ForwardingTable, after: ForwardingTable, gone: string[]): Outcome => {
  const known = { own: keysOf(before.own), targets: keysOf(before.targets) }
  const isGone = (_kind: string, { text }: { text: string }) => gone.includes(text)
  const { ended, lingering } = classifyFlows([one], { known, table: after, isGone, local: new Set([pod]) })
  if (ended.length > 0) return 'ends'
  return lingering.own[4].size + lingering.targets[4].size > 0 ? 'drains' : 'stays'
}

describe('classifyFlows', () => {
  it.each<[string, Partial<Flow>, ForwardingTable, ForwardingTable, Outcome, string[]?]>([
    ['a mapping that stays', {}, from, from, 'stays'],
    ['a removed mapping, for TCP', {}, from, egressTable([]), 'drains'],
    ['a removed mapping, for UDP', udp, from, egressTable([]), 'ends'],
    ['one of two mappings removed, for TCP', {}, from, egressTable([['udp . 10000', 't . 443']]), 'stays'],
    ['one of two mappings removed, for UDP', udp, from, egressTable([['tcp . 10000', 't . 443']]), 'ends'],
    ['a target that changes, for TCP', {}, from, egressTable([['tcp . 10000', 'u . 443']]), 'drains'],
    ['a target that changes, for UDP', udp, from, egressTable([['udp . 10000', 'u . 443']]), 'ends'],
    ['a target that is gone', {}, from, egressTable([['tcp . 10000', 'u . 443']]), 'ends', ['t']],
    ['another port of the target, for UDP', udp, from, egressTable([['udp . 10000', 't . 53']]), 'ends'],
    ['another port of the target, for TCP', {}, from, egressTable([['tcp . 10000', 't . 53']]), 'stays'],
    ['another own address', {}, from, { ...from, source: { 4: '100.64.0.99', 6: undefined } }, 'ends'],
    ['a translation of another program', { answeredBy: 'x' }, from, egressTable([]), 'stays'],
    ['an untranslated flow', { answeredBy: pod, answeredTo: 'c' }, from, from, 'stays'],
    ['UDP that began before its mapping', { ...udp, answeredBy: pod, answeredTo: 'c' }, egressTable([]), from, 'ends'],
    ['UDP to elsewhere', { ...udp, destination: 'w', answeredBy: 'w' }, egressTable([]), from, 'stays'],
    ['a catch-all that stays', {}, all('t'), all('t'), 'stays'],
    ['a catch-all with another target, for TCP', {}, all('t'), all('u'), 'drains'],
    ['a catch-all with another target, for UDP', udp, all('t'), all('u'), 'ends'],
    [
      'a catch-all with another target, for ICMP',
      { protocol: 'icmp', port: undefined, answeredFrom: undefined },
      all('t'),
      all('u'),
      'ends',
    ],
    ['a catch-all whose target is gone', {}, all('t'), all(undefined), 'ends', ['t']],
    [
      'UDP that began before a catch-all',
      { ...udp, answeredBy: pod, answeredTo: 'c' },
      all(undefined),
      all('t'),
      'ends',
    ],
    ['WireGuard', { ...udp, port: 41_641, answeredBy: pod, answeredTo: 'c' }, all(undefined), all('t'), 'stays'],
    ['ingress that stays', inward, ingressTable([['p', 'b']]), ingressTable([['p', 'b']]), 'stays'],
    ['ingress to another backend, for TCP', inward, ingressTable([['p', 'b']]), ingressTable([['p', 'c']]), 'drains'],
    ['ingress to a backend that is gone', inward, two('b', 'c'), ingressTable([['p', 'c']]), 'ends', ['b']],
    ['ingress with its backend removed, for TCP', inward, two('b', 'c'), ingressTable([['p', 'c']]), 'drains'],
    [
      'ingress with another backend removed, for TCP',
      inward,
      two('b', 'c'),
      ingressTable([['p', 'b']]),
      'stays',
      ['c'],
    ],
    [
      'ingress to another backend, for UDP',
      { ...inward, ...udp },
      ingressTable([['p', 'b']]),
      ingressTable([['p', 'c']]),
      'ends',
    ],
    [
      'ingress with an added backend, for UDP',
      { ...inward, ...udp },
      ingressTable([['p', 'b']]),
      two('b', 'c'),
      'stays',
    ],
    [
      'ingress with a removed backend, for UDP',
      { ...inward, ...udp },
      two('b', 'c'),
      ingressTable([['p', 'c']]),
      'ends',
    ],
    ['ingress that is removed, for TCP', inward, ingressTable([['p', 'b']]), ingressTable([]), 'drains'],
    ['ingress that is removed with its address', inward, ingressTable([['p', 'b']]), ingressTable([]), 'ends', ['p']],
    [
      'ingress that is added, for UDP',
      { ...udp, destination: 'p', answeredBy: 'p' },
      ingressTable([]),
      ingressTable([['p', 'b']]),
      'ends',
    ],
    ['ingress by port that stays', web, http, http, 'stays'],
    ['ingress by port that is tailscaled’s now, which takes its packets', web, http, dns, 'ends'],
    ['ingress by port, whose backend has another port now, for TCP', web, http, other, 'drains'],
    ['ingress by port that is removed, for UDP', { ...web, ...udp }, dns, http, 'ends'],
    [
      'ingress by port to a backend that is removed, for TCP',
      web,
      http,
      byPortTable(http.ingressByPort[4]!.ports, ['c']),
      'drains',
    ],
    ['ingress that is by port now', web, everything, http, 'stays'],
    ['ingress by port that has all ports now', web, http, everything, 'stays'],
    ['UDP that began before ingress by port', { ...early, port: 80 }, ingressTable([]), dns, 'ends'],
    ['UDP to a port that is tailscaled’s', { ...early, port: 81 }, ingressTable([]), dns, 'stays'],
  ])('%s', (_name, change, before, after, expected, gone = []) => {
    expect(outcome(flow(change), before, after, gone)).toBe(expected)
  })
})
