import { describe, expect, it } from 'vitest'
import { type Environment, envReader } from '../../../agent/settings/env-reader.ts'

describe('adds the brackets that an IPv6 address of the Pod lacks', () => {
  it.each<[string, Environment, string]>([
    ['fd00::1:9002', { POD_IPS: '10.0.0.1,fd00::1' }, '[fd00::1]:9002'],
    ['fd00::1:9002', { POD_IP: 'fd00::1' }, '[fd00::1]:9002'],
    ['fd00:0:0::1:9002', { POD_IP: 'FD00:0::1' }, '[fd00:0:0::1]:9002'],
    ['[fd00::1]:9002', { POD_IP: 'fd00::1' }, '[fd00::1]:9002'],
    ['10.0.0.1:9002', { POD_IP: '10.0.0.1' }, '10.0.0.1:9002'],
    // This may be an address without a port.
    ['fd00::1:9002', {}, 'fd00::1:9002'],
    ['fd00::1:9002', { POD_IP: 'fd00::2' }, 'fd00::1:9002'],
    ['fd00::1:9002', { POD_IP: 'nonsense', POD_IPS: 'a,b,c' }, 'fd00::1:9002'],
    ['fe80::1%eth0:9002', {}, 'fe80::1%eth0:9002'],
    ['fd00::1', { POD_IP: 'fd00::1' }, 'fd00::1'],
    [':9002', { POD_IP: '', POD_IPS: '' }, ':9002'],
  ])('%s with %j', (value, env, repaired) => {
    for (const name of ['TS_LOCAL_ADDR_PORT', 'TS_HEALTHCHECK_ADDR_PORT', 'TS_DEBUG_ADDR_PORT'] as const) {
      expect(envReader({ ...env, [name]: value }).addressPort(name)).toBe(repaired)
    }
  })
})
