import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { inOrder } from '../../../netfilter/in-order.ts'
import { changes, elementsOf, trackedIn, type SetName } from '../../../netfilter/nftables/elements.ts'
import {
  announcement,
  outline,
  renderChanges,
  renderSkeleton,
  renderTable,
} from '../../../netfilter/nftables/render.ts'
import { emptyTable, type ForwardingTable, forwardingTable } from '../../../netfilter/table.ts'
import { randomTable, withRulesOf } from '../random-table.ts'
import { byPortTable, egressTable, ingressTable, severalTable, source } from '../tables.ts'

describe('renderTable', () => {
  it('replaces the table in one transaction, whether or not it exists', () => {
    expect(renderTable(emptyTable)).toMatch(/^table inet culvert\ndelete table inet culvert\ntable inet culvert \{\n/)
  })

  it.each<[string, Partial<ForwardingTable>, RegExp]>([
    ['masquerades if asked to', { masquerade: true }, / masquerade comment/],
    ['refuses unmapped services', { refuseUnmapped: true }, /reject with tcp reset[\s\S]* reject with icmpx/],
    [
      'spreads over several backends',
      severalTable('100.64.0.1', ['10.0.0.8', '10.0.0.9']),
      /ip daddr 100\.64\.0\.1 dnat ip to numgen random mod 2 map \{ 0 : 10\.0\.0\.8, 1 : 10\.0\.0\.9 \}/,
    ],
    [
      'spreads over several IPv6 backends',
      severalTable('fd7a:115c:a1e0::1', ['fd00::8', 'fd00::9'], 6),
      /ip6 daddr fd7a:115c:a1e0::1 dnat ip6 to numgen random mod 2 map \{ 0 : fd00::8, 1 : fd00::9 \}/,
    ],
    [
      'forwards listed ports alone',
      byPortTable([
        { protocol: 'tcp', first: 80, last: 80 },
        { protocol: 'tcp', first: 8000, last: 8010 },
      ]),
      /ip daddr \{ 100\.64\.0\.1 \} tcp dport \{ 80, 8000-8010 \} dnat ip to b comment/,
    ],
    [
      'forwards a port to another one of several backends',
      byPortTable([{ protocol: 'udp', first: 53, last: 53, to: 5353 }], ['b', 'c'], 6),
      /ip6 daddr \{ fd7a:115c:a1e0::1 \} meta l4proto udp dnat ip6 to numgen random mod 2 map \{ 0 : b, 1 : c \} : udp dport map \{ 53 : 5353 \} comment/,
    ],
    [
      'redirects everything of a family',
      { catchAll: { 4: '100.64.0.9', 6: undefined } },
      /ipv4 dnat ip to 100\.64\.0\.9/,
    ],
    [
      'sets the source address in the tailnet',
      { source },
      /snat ip to 100\.64\.0\.1 [\s\S]*snat ip6 to fd7a:115c:a1e0::1 /,
    ],
  ])('%s', (_name, change, expected) => {
    expect(renderSkeleton({ ...emptyTable, ...change })).toMatch(expected)
    expect(renderSkeleton({ ...emptyTable, masquerade: false })).not.toMatch(expected)
  })

  it('all rules name the tunnel’s device and no other', () => {
    const shape = { ...emptyTable, catchAll: source, source, refuseUnmapped: true }
    const renamed = renderSkeleton({ ...shape, device: 'ts9' })
    expect(renamed).toBe(renderSkeleton(shape).replaceAll('"tailscale0"', '"ts9"'))
    expect(renamed).not.toContain('tailscale0')
  })

  it('gives every rule a comment that names its chain', () => {
    const shape = { ...emptyTable, catchAll: source, source, refuseUnmapped: true }
    for (const line of outline(shape)) expect(line).toMatch(/^\w+$|^\w+: ./)
  })
})

describe('changes', () => {
  it.each<[string, ForwardingTable, ForwardingTable, string[]]>([
    ['nothing', ingressTable([['p', 'b']]), ingressTable([['p', 'b']]), []],
    ['an addition', ingressTable([]), ingressTable([['p', 'b']]), ['add own4 p', 'add ingress4 p : b']],
    ['a removal', ingressTable([], [['p', 'b']]), ingressTable([]), ['delete own6 p', 'delete ingress6 p : b']],
    [
      'another backend',
      ingressTable([['p', 'b']]),
      ingressTable([['p', 'c']]),
      ['delete ingress4 p : b', 'add ingress4 p : c'],
    ],
    [
      'an added service',
      egressTable([['tcp . 1', 'a . 2']]),
      egressTable([
        ['tcp . 1', 'a . 2'],
        ['udp . 1', 'b . 3'],
      ]),
      ['add ports4 udp . 1 : b . 3', 'add targets4 b'],
    ],
    [
      'one of two ports of a target removed',
      egressTable([
        ['tcp . 1', 'a . 2'],
        ['udp . 1', 'a . 3'],
      ]),
      egressTable([['tcp . 1', 'a . 2']]),
      ['delete ports4 udp . 1 : a . 3'],
    ],
  ])('%s', (_name, from, to, expected) => {
    const announced = announcement(changes(elementsOf(from), elementsOf(to)))
    expect(announced).toEqual(
      expected.map((text) => text.replace(/^(\w+) (\w+) (.*)$/, '$1 element inet culvert $2 { $3 }')),
    )
  })

  it('keep lingering addresses in the sets of our addresses', () => {
    const lingering = {
      own: { 4: new Set(['p']), 6: new Set<string>() },
      targets: { 4: new Set(['t']), 6: new Set<string>() },
    }
    const elements = elementsOf(emptyTable, lingering)
    expect([elements.get('own4'), elements.get('targets4')]).toEqual([new Map([['p', '']]), new Map([['t', '']])])
  })

  it('contain only the own address if it has several backends', () => {
    const elements = elementsOf(severalTable('p', ['b', 'c']))
    expect([elements.get('own4'), elements.get('ingress4')]).toEqual([new Map([['p', '']]), new Map()])
  })

  it('share unchanged entries, so that comparing is fast', () => {
    const backends = ['b']
    const made = (...more: [string, string[]][]) =>
      elementsOf(forwardingTable({ ...emptyTable, ingress: { 4: new Map([['p', backends], ...more]), 6: new Map() } }))
    const [first, second] = [made(), made(['q', ['c']])].map((elements) => inOrder(elements.get('ingress4')!)[0])
    expect(first).toEqual({ key: 'p', value: 'b' })
    expect(second).toBe(first)
  })

  it('turn any content into any other, by commands that the kernel accepts', () => {
    fc.assert(
      fc.property(randomTable, randomTable, (from, to) => {
        const kernel = new Map([...elementsOf(from)].map(([name, content]) => [name, new Map(content)]))
        const text = renderChanges(changes(elementsOf(from), elementsOf(to)))
        for (const line of text.split('\n')) {
          const [, verb, set, list] = /^(add|delete) element inet culvert (\w+) \{ (.*) \}$/.exec(line) ?? []
          const content = kernel.get(set as SetName)
          for (const item of list?.split(', ') ?? []) {
            const [key = '', value = ''] = item.split(' : ')
            // The kernel refuses to delete what does not exist, and to add a key with another value.
            if (verb === 'delete') expect(content?.delete(key)).toBe(true)
            else expect(content?.has(key) || content?.set(key, value) === undefined).toBe(false)
          }
        }
        expect(kernel).toEqual(elementsOf(to))
      }),
    )
  })

  it('are the same if the sets of our addresses are compared only where the rest depends on them', () => {
    fc.assert(
      fc.property(randomTable, randomTable, randomTable, (from, other, gone) => {
        const to = withRulesOf(from, other)
        const lingering = trackedIn(elementsOf(gone))
        const [before, after] = [elementsOf(from, lingering), elementsOf(to, lingering)]
        const announced = (follows: boolean) => announcement(changes(before, after, follows)).toSorted()
        expect(announced(true)).toEqual(announced(false))
      }),
    )
  })
})
