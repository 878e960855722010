import type { Environment } from '../agent.ts'
import { running } from '../localapi.ts'
import { type Phase, type Run, startupComplete } from '../phase.ts'
import type { Scenario } from '../scenario.ts'

/** Scenarios by name; those with counterparts in upstream's test suite have the same names. */
export type Scenarios = Readonly<Record<string, Scenario>>

const tailscale = (command: string, args: readonly string[]): string =>
  ['/usr/bin/tailscale --socket=/tmp/tailscaled.sock', command, ...args].join(' ')

// The calls of programs, with paths as seen from within the root.
export const tailscaled = (...args: readonly string[]): string =>
  ['/usr/bin/tailscaled --socket=/tmp/tailscaled.sock', ...args].join(' ')
export const up = (...args: readonly string[]): string => tailscale('up', args)
export const set = (...args: readonly string[]): string => tailscale('set', args)

// Arguments of tailscaled.
export const inMemory = '--state=mem: --statedir=/tmp'
export const onDisk = '--statedir=/tmp'
export const inSecret = '--state=kube:tailscale --statedir=/tmp'
export const userspace = '--tun=userspace-networking'
export const withConfig = '--config=/etc/tailscaled/cap-95.hujson'

// Settings.
export const withKey: Environment = { TS_AUTHKEY: 'tskey-key' }
export const inKernel: Environment = { TS_USERSPACE: 'false' }
export const oneStep: Environment = { TS_EXPERIMENTAL_VERSIONED_CONFIG_DIR: '{root}/etc/tailscaled' }
export const shortWaits: Environment = { CULVERT_TEST_SHORT_WAITS: 'true' }
export const inKubernetes: Environment = {
  KUBERNETES_SERVICE_HOST: '127.0.0.1',
  KUBERNETES_SERVICE_PORT_HTTPS: '{api port}',
}

// The state Secret.
export const capver = { tailscale_capver: '142' } as const
export const device = {
  device_id: 'myID',
  device_fqdn: 'test-node.test.ts.net.',
  device_ips: '["100.64.0.1"]',
} as const
const privateKey = `privkey:${'0a'.repeat(32)}`
/** tailscaled's own keys. */
export const identity = {
  _machinekey: privateKey,
  _profiles: '{"a":{"ID":"a","Key":"profile-a"}}',
  '_current-profile': 'profile-a',
  'profile-a': JSON.stringify({ Config: { PrivateNodeKey: privateKey, NodeID: 'myID' } }),
} as const

// Phases of many scenarios.
export const complete: Phase = { send: running(), log: startupComplete }
export const crash = ({ agent, localApi }: Run): void => {
  agent.killChild('tailscaled')
  localApi.endWatches()
}
