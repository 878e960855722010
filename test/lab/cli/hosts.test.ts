import { expect, test } from 'vitest'
import { checkTopology, defaultTopology } from '../spec.ts'
import { parseHosts } from './hosts.ts'
import { UsageError } from './verb.ts'

test('the default is as documented', () => {
  expect(parseHosts('client:wan:tailscaled,proxy:cluster,backend:cluster')).toEqual(defaultTopology)
})

test('single-family hosts', () => {
  expect(parseHosts('a:cluster:v4only, b:cluster:v6only')).toEqual({
    a: { network: 'cluster', ipv6: false },
    b: { network: 'cluster', ipv4: false },
  })
})

test.each([
  ['client', /does not say where it is/],
  ['client:wan:fast', /"fast" is none of wan, cluster, tailscaled/],
  ['a:wan,a:wan', /names a twice/],
  ['a:wan:toString', /"toString" is none of/],
])('%s is refused', (text, message) => {
  expect(() => parseHosts(text)).toThrow(UsageError)
  expect(() => parseHosts(text)).toThrow(message)
})

test.each([
  [{ Client: { network: 'wan' } }, /cannot name a host/],
  [{ 'a-very-long-name': { network: 'wan' } }, /at most 11|cannot name/],
  [{ a: { network: 'wan', ipv4: false, ipv6: false } }, /no address/],
  [{ a: { network: 'wan', mtu: 1000 } }, /MTU of 1000/],
] as const)('%o cannot be made', (hosts, message) => {
  expect(() => checkTopology(hosts)).toThrow(message)
})
