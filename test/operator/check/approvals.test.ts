import { describe, expect, it } from 'vitest'
import { parsePrefix } from '../../../lib/address.ts'
import type { Facts } from '../../../operator/check/facts.ts'
import { complaints, late, well } from './a-cluster.ts'

describe('what the tailnet approves by itself', () => {
  const [office] = 'value' in well.wishes ? well.wishes.value : []
  const wish = (wants: readonly string[] | 'services'): Facts['wishes'] => ({
    value: [{ ...office!, wants: wants === 'services' ? wants : wants.map((text) => parsePrefix(text)!) }],
  })
  const approvers = (more: object): Facts['approvers'] => ({
    value: { routes: [], exitNode: [], services: [], ...more },
  })
  const route = (network: string, by = 'tag:k8s') => ({ routes: [{ network, by: [by] }] })
  it.each([
    [wish(['10.7.0.0/16']), approvers(route('10.7.0.0/16')), undefined],
    [wish(['10.7.0.0/16']), approvers(route('10.7.1.0/24')), '10.7.0.0/16 of Connector office'],
    [wish(['10.7.0.0/16']), approvers(route('0.0.0.0/0')), undefined],
    [wish(['10.7.0.0/16']), approvers(route('10.7.0.0/16', 'tag:db')), '10.7.0.0/16 of Connector office'],
    [wish(['fd00::/64']), approvers(route('0.0.0.0/0')), 'fd00::/64 of Connector office'],
    [wish(['0.0.0.0/0', '::/0']), approvers({ exitNode: ['tag:k8s'] }), undefined],
    [wish(['0.0.0.0/0', '::/0']), approvers(route('0.0.0.0/0')), '0.0.0.0/0 of Connector office'],
    [wish('services'), approvers({ services: [['tag:db'], ['tag:k8s']] }), undefined],
    [wish('services'), approvers({ services: [['tag:db']] }), 'Tailscale Services of Connector office'],
    [{ value: [] }, late, undefined],
  ])('%#', (wishes, given, expected) => {
    const start = 'warning auto-approvers: the tailnet does not approve by itself: '
    const lines = complaints({ wishes, approvers: given })
    expect(lines).toEqual(expected === undefined ? [] : [expect.stringContaining(`${start}${expected}`)])
  })
})

it('names nodes without a TUN device, unless a proxy runs there by now', () => {
  const missing = { node: 'one', isThere: false }
  expect(complaints({ tuns: { value: [missing] } })).toEqual([
    expect.stringContaining('warning tun: /dev/net/tun is missing on one, '),
  ])
  expect(complaints({ tuns: { value: [missing, { node: 'one', isThere: true }] } })).toEqual([])
})
