import { inState } from '../localapi.ts'
import { programs } from '../programs.ts'
import { configFile } from '../root.ts'
import type { Scenario } from '../scenario.ts'
import {
  capver,
  complete,
  crash,
  inKubernetes,
  inMemory,
  inSecret,
  inKernel,
  oneStep,
  type Scenarios,
  shortWaits,
  tailscaled,
  up,
  userspace,
  withConfig,
  withKey,
} from './common.ts'

const daemon = tailscaled(inMemory, userspace)
const login = up('--accept-dns=false', '--authkey=tskey-key')
const start = [daemon, login]
const reissue: Scenario['phases'] = [
  { runs: [tailscaled(inSecret, userspace, withConfig)], secret: capver },
  { send: inState('NeedsLogin'), secret: { ...capver, reissue_authkey: 'some-auth-key' } },
]

/** A signal ends the agent with 0 at any time. */
export const signals: Scenarios = {
  'SIGTERM while the Kubernetes API does not answer': {
    env: { ...inKubernetes, ...withKey },
    phases: [
      { act: ({ kube }) => (kube.gone = true), log: /culvert agent/ },
      { signal: 'SIGTERM', exit: 0 },
    ],
  },
  'SIGTERM before tailscaled has its socket': {
    env: withKey,
    files: { 'usr/bin/tailscaled': programs.idle },
    phases: [{ runs: [daemon] }, { signal: 'SIGTERM', exit: 0 }],
  },
  'SIGTERM during a login': {
    env: withKey,
    files: { 'usr/bin/tailscale': programs.idle },
    phases: [{ runs: start }, { signal: 'SIGTERM', exit: 0 }],
  },
  'SIGTERM during a login that takes its time to end': {
    env: withKey,
    files: { 'usr/bin/tailscale': programs.idleSlow },
    phases: [{ runs: start }, { signal: 'SIGTERM', exit: 0 }],
  },
  'SIGTERM while another auth key is waited for': {
    env: { ...inKubernetes, ...oneStep },
    phases: [...reissue, { signal: 'SIGTERM', exit: 0 }],
  },
  'SIGINT after start-up': {
    env: withKey,
    phases: [{ runs: start }, complete, { signal: 'SIGINT', exit: 0 }],
  },
  'SIGTERM to a tailscaled that takes its time': {
    env: withKey,
    files: { 'usr/bin/tailscaled': programs.slow },
    phases: [{ runs: start }, complete, { signal: 'SIGTERM', exit: 0 }],
  },
  'a second signal to a tailscaled that does not end': {
    env: withKey,
    files: { 'usr/bin/tailscaled': programs.ignoresSignals },
    phases: [
      { runs: start },
      complete,
      { signal: 'SIGTERM', lasts: 500, runsOn: 'sleep' },
      { signal: 'SIGTERM', exit: 0 },
    ],
  },
}

/** What can never work ends it with 1 before anything is run. */
const never = (scenario: Omit<Scenario, 'phases'>, log: RegExp): Scenario => ({
  ...scenario,
  phases: [{ exit: 1, log }],
})

export const refusals: Scenarios = {
  'a setting with a bad value': never({ env: { TS_BOOT_TIMEOUT: '5' } }, /error: TS_BOOT_TIMEOUT="5"/),
  'settings that exclude each other': never({ env: { ...oneStep, ...withKey } }, /error: .*TS_AUTHKEY/),
  'no TUN device': never(
    { env: { ...inKernel, ...withKey }, files: { 'dev/net/tun': null, 'dev/net/tun/in-its-place': '' } },
    /error: .*dev\/net\/tun cannot be opened/,
  ),
  'forwarding that cannot be switched on': never(
    {
      env: { ...inKernel, ...withKey, TS_DEST_IP: '10.0.0.1' },
      files: { 'proc/sys/net/ipv4/ip_forward': null, 'proc/sys/net/ipv4/ip_forward/in-its-place': '' },
    },
    /error: IPv4 forwarding is off/,
  ),
  'no permission to get the Secret': never(
    { env: { ...inKubernetes, ...withKey }, denied: ['get'] },
    /error: .*may not get the state Secret "tailscale"/,
  ),
  'no permission to update the Secret': never(
    { env: { ...inKubernetes, ...withKey }, denied: ['update'] },
    /error: .*may not update the state Secret "tailscale"/,
  ),
  'an auth key in a Secret that may not be patched': never(
    { env: inKubernetes, secret: { authkey: 'tskey-key' }, denied: ['patch'] },
    /error: Secret "tailscale" has an authkey, but/,
  ),
  'a listener on a port that is in use': never(
    { env: { ...withKey, TS_ENABLE_HEALTH_CHECK: 'true', TS_LOCAL_ADDR_PORT: '127.0.0.1:{api port}' } },
    /error: .*cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE/,
  ),
  'no config file for this tailscaled': never(
    { env: oneStep, files: { [configFile]: null, 'etc/tailscaled/cap-9999.hujson': '{"Version":"alpha0"}' } },
    /error: .*no usable config file.*cap-9999\.hujson/,
  ),
  'a malformed config file': never({ env: oneStep, files: { [configFile]: '{' } }, /error: .*cap-95\.hujson/),
}

/** Makes the agent throw in the listener of a signal, as a bug would. */
const faulty = {
  NODE_OPTIONS:
    '--import=data:text/javascript,process.on(%22SIGUSR2%22,()=>{throw%20new%20TypeError(%22no%20such%20thing%22)})',
}

/** What only turns out later ends it with 1, too. */
export const failures: Scenarios = {
  'a bug in the agent, which still stops in order': {
    env: { ...faulty, ...withKey },
    files: { 'usr/bin/tailscaled': programs.slow },
    phases: [
      { runs: start },
      complete,
      {
        signal: 'SIGUSR2',
        exit: 1,
        log: /error: bug in the agent: TypeError: no such thing; at .*report this line/,
      },
    ],
  },
  'no other auth key within the limit': {
    env: { ...inKubernetes, ...oneStep, ...shortWaits },
    phases: [...reissue, { exit: 1, log: /error: no other auth key came/ }],
  },
  'no login in one step, and no Secret for a request': {
    env: oneStep,
    phases: [
      { runs: [tailscaled(inMemory, userspace, withConfig)] },
      { send: inState('NeedsLogin'), exit: 1, log: /error: login failed/ },
    ],
  },
  'the boot deadline': {
    env: { ...withKey, TS_BOOT_TIMEOUT: '8s' },
    phases: [{ runs: start, exit: 1, log: /error: .*boot deadline of 8 s/ }],
  },
  'a tailscaled that cannot be kept running': {
    env: { ...withKey, ...shortWaits },
    files: { 'usr/bin/tailscaled': programs.failing },
    phases: [
      { runs: Array.from({ length: 11 }, () => daemon), exit: 1, log: /error: tailscaled cannot be kept running/ },
    ],
  },
  'a missing tailscaled': {
    env: { ...withKey, PATH: '{root}/usr/bin' },
    files: { 'usr/bin/tailscaled': null },
    phases: [{ exit: 1, log: /error: .*tailscaled is not installed/ }],
  },
  'state in memory that is lost, and a key that is used up': {
    env: { ...withKey, ...shortWaits },
    files: { 'usr/bin/tailscale': programs.oneLogin },
    phases: [
      { runs: start },
      complete,
      {
        act: crash,
        runs: [daemon, login, login, login],
        exit: 1,
        log: /error: tailscaled lost its state/,
      },
    ],
  },
}
