import { inState, running } from '../localapi.ts'
import {
  capver,
  complete,
  device,
  inKubernetes,
  inSecret,
  onDisk,
  type Scenarios,
  set,
  shortWaits,
  tailscaled,
  up,
  userspace,
  withKey,
} from './common.ts'

const authkey = { authkey: 'tskey-key' } as const
const start = [tailscaled(inSecret, userspace), up('--accept-dns=false', '--authkey=tskey-key')]

/** The state Secret. */
export const secret: Scenarios = {
  kube_storage: {
    env: { ...inKubernetes, POD_UID: 'some-pod-uid' },
    secret: authkey,
    phases: [
      { runs: start, secret: { ...authkey, ...capver, pod_uid: 'some-pod-uid' } },
      { tell: running(), secret: { ...authkey, ...capver, pod_uid: 'some-pod-uid', ...device } },
    ],
  },
  kube_disk_storage: {
    env: { ...inKubernetes, ...withKey, TS_KUBE_SECRET: '', TS_STATE_DIR: '{root}/tmp' },
    phases: [
      { runs: [tailscaled(onDisk, userspace), up('--accept-dns=false', '--authkey=tskey-key')], secret: {} },
      { tell: running(), secret: {} },
    ],
  },
  kube_storage_no_patch: {
    env: { ...inKubernetes, ...withKey },
    denied: ['patch'],
    phases: [
      { runs: start, secret: {} },
      { tell: running(), secret: {} },
    ],
  },
  kube_storage_auth_once: {
    env: { ...inKubernetes, TS_AUTH_ONCE: 'true' },
    secret: authkey,
    phases: [
      { runs: [tailscaled(inSecret, userspace)], secret: { ...authkey, ...capver } },
      {
        tell: inState('NeedsLogin'),
        runs: [up('--accept-dns=false', '--authkey=tskey-key')],
        secret: { ...authkey, ...capver },
      },
      { tell: running(), runs: [set('--accept-dns=false')], secret: { ...capver, ...device } },
    ],
  },
  kube_storage_updates: {
    env: inKubernetes,
    secret: authkey,
    phases: [
      { runs: start, secret: { ...authkey, ...capver } },
      { tell: running(), secret: { ...authkey, ...capver, ...device } },
      {
        tell: running('newID', 'new-name.test.ts.net.'),
        secret: { ...authkey, ...capver, ...device, device_id: 'newID', device_fqdn: 'new-name.test.ts.net.' },
      },
    ],
  },
  another_pod_takes_it_over_and_goes: {
    env: { ...inKubernetes, ...shortWaits, POD_UID: 'own' },
    secret: authkey,
    phases: [
      { runs: start, secret: { ...authkey, ...capver, pod_uid: 'own' } },
      { ...complete, secret: { ...authkey, ...capver, pod_uid: 'own', ...device } },
      { edit: { pod_uid: 'another' }, log: /the Pod with UID another uses the state Secret "tailscale", too/ },
      { secret: { ...authkey, ...capver, pod_uid: 'own', ...device } },
    ],
  },
  kube_shutdown_during_state_write: {
    env: { ...inKubernetes, TS_ENABLE_HEALTH_CHECK: 'true' },
    secret: authkey,
    phases: [
      { runs: start, secret: { ...authkey, ...capver } },
      {
        edit: { _machinekey: 'foo', _profiles: 'foo', 'profile-baff': 'foo' },
        signal: 'SIGTERM',
        log: 'Waiting for tailscaled to finish writing state to Secret "tailscale"',
        runsOn: 'tailscaled',
        lasts: 500,
      },
      { edit: { '_current-profile': 'foo' }, exit: 0, log: 'HTTP server at [::]:9002 closed' },
    ],
  },
}
