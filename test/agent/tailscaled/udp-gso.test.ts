import { expect, it } from 'vitest'
import { gsoFault, udpGsoEnv, withoutUdpGso } from '../../../agent/tailscaled/udp-gso.ts'

it.each([
  ['6.12.9-cloud', false],
  ['6.18.44', false],
  ['7.0.0', true],
  ['7.0-rc1', true],
  ['7.0.22-generic', true],
  ['7.1.4', true],
  ['7.1.5-1-pve', false],
  ['7.2.0', false],
  ['17.0.1', false],
  ['unknown', false],
])('UDP segmentation offload of Linux %s is known to be broken: %s', (release, broken) => {
  expect(gsoFault(release) !== undefined).toBe(broken)
})

it.each([
  ['auto', '6.12.0', {}],
  ['auto', '7.0.2', { TS_DEBUG_DISABLE_UDP_GSO: 'true' }],
  ['on', '7.0.2', {}],
  ['off', '6.12.0', { TS_DEBUG_DISABLE_UDP_GSO: 'true' }],
] as const)('CULVERT_UDP_GSO=%s on Linux %s gives tailscaled %j', (udpGso, release, env) => {
  expect(udpGsoEnv(withoutUdpGso({ udpGso }, release))).toEqual(env)
})
