import { describe, expect, it } from 'vitest'
import { type Flow, classifyFlows } from '../../netfilter/flows.ts'
import { byFamily, emptyTable, type ForwardingTable, forwardingTable } from '../../netfilter/table.ts'
import { egressTable, ingressTable, severalTable, source } from './tables.ts'

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
    ['a mapping that goes, for TCP', {}, from, egressTable([]), 'drains'],
    ['a mapping that goes, for UDP', udp, from, egressTable([]), 'ends'],
    ['one of two mappings that goes, for TCP', {}, from, egressTable([['udp . 10000', 't . 443']]), 'stays'],
    ['one of two mappings that goes, for UDP', udp, from, egressTable([['tcp . 10000', 't . 443']]), 'ends'],
    ['a target that changes, for TCP', {}, from, egressTable([['tcp . 10000', 'u . 443']]), 'drains'],
    ['a target that changes, for UDP', udp, from, egressTable([['udp . 10000', 'u . 443']]), 'ends'],
    ['a target that is gone', {}, from, egressTable([['tcp . 10000', 'u . 443']]), 'ends', ['t']],
    ['another port of the target, for UDP', udp, from, egressTable([['udp . 10000', 't . 53']]), 'ends'],
    ['another port of the target, for TCP', {}, from, egressTable([['tcp . 10000', 't . 53']]), 'stays'],
    ['another own address', {}, from, { ...from, source: { 4: '100.64.0.99', 6: undefined } }, 'ends'],
    ['a foreign translation', { answeredBy: 'x' }, from, egressTable([]), 'stays'],
    ['what is not translated', { answeredBy: pod, answeredTo: 'c' }, from, from, 'stays'],
    ['UDP that began before its mapping', { ...udp, answeredBy: pod, answeredTo: 'c' }, egressTable([]), from, 'ends'],
    ['UDP to the world', { ...udp, destination: 'w', answeredBy: 'w' }, egressTable([]), from, 'stays'],
    ['everything, that stays', {}, all('t'), all('t'), 'stays'],
    ['everything, that moves, for TCP', {}, all('t'), all('u'), 'drains'],
    ['everything, that moves, for UDP', udp, all('t'), all('u'), 'ends'],
    [
      'everything, that moves, for ICMP',
      { protocol: 'icmp', port: undefined, answeredFrom: undefined },
      all('t'),
      all('u'),
      'ends',
    ],
    ['everything, whose target is gone', {}, all('t'), all(undefined), 'ends', ['t']],
    [
      'UDP that began before everything',
      { ...udp, answeredBy: pod, answeredTo: 'c' },
      all(undefined),
      all('t'),
      'ends',
    ],
    ['WireGuard', { ...udp, port: 41_641, answeredBy: pod, answeredTo: 'c' }, all(undefined), all('t'), 'stays'],
    ['ingress that stays', inward, ingressTable([['p', 'b']]), ingressTable([['p', 'b']]), 'stays'],
    ['ingress to another backend, for TCP', inward, ingressTable([['p', 'b']]), ingressTable([['p', 'c']]), 'drains'],
    ['ingress to a backend that is gone', inward, two('b', 'c'), ingressTable([['p', 'c']]), 'ends', ['b']],
    ['ingress with one backend less, for TCP', inward, two('b', 'c'), ingressTable([['p', 'c']]), 'drains'],
    ['ingress with another backend less, for TCP', inward, two('b', 'c'), ingressTable([['p', 'b']]), 'stays', ['c']],
    [
      'ingress to another backend, for UDP',
      { ...inward, ...udp },
      ingressTable([['p', 'b']]),
      ingressTable([['p', 'c']]),
      'ends',
    ],
    [
      'ingress with one backend more, for UDP',
      { ...inward, ...udp },
      ingressTable([['p', 'b']]),
      two('b', 'c'),
      'stays',
    ],
    [
      'ingress with one backend less, for UDP',
      { ...inward, ...udp },
      two('b', 'c'),
      ingressTable([['p', 'c']]),
      'ends',
    ],
    ['ingress that goes, for TCP', inward, ingressTable([['p', 'b']]), ingressTable([]), 'drains'],
    ['ingress that goes with its address', inward, ingressTable([['p', 'b']]), ingressTable([]), 'ends', ['p']],
    [
      'ingress that comes, for UDP',
      { ...udp, destination: 'p', answeredBy: 'p' },
      ingressTable([]),
      ingressTable([['p', 'b']]),
      'ends',
    ],
  ])('%s', (_name, change, before, after, expected, gone = []) => {
    expect(outcome(flow(change), before, after, gone)).toBe(expected)
  })
})
