import { inState, running } from '../localapi.ts'
import { configFile } from '../root.ts'
import type { Phase } from '../phase.ts'
import {
  capver,
  complete,
  crash,
  device,
  inKubernetes,
  inMemory,
  inSecret,
  onDisk,
  oneStep,
  type Scenarios,
  shortWaits,
  tailscaled,
  up,
  userspace,
  withConfig,
  withKey,
} from './common.ts'

const login = up('--accept-dns=false', '--authkey=tskey-key')
const inPod = { ...inKubernetes, ...withKey, ...shortWaits }
const podStart: Phase = { runs: [tailscaled(inSecret, userspace), login], secret: capver }
const renamed = { ...capver, ...device, device_id: 'newID' }

/** What does not end the agent. */
export const lasting: Scenarios = {
  'tailscaled dies, and its state is on disk': {
    env: { ...withKey, ...shortWaits, TS_STATE_DIR: '{root}/tmp' },
    phases: [
      { runs: [tailscaled(onDisk, userspace), login] },
      complete,
      { act: crash, runs: [tailscaled(onDisk, userspace)], log: /tailscaled was ended by SIGKILL/, lasts: 500 },
    ],
  },
  'tailscaled dies, and its state was in memory': {
    env: { ...withKey, ...shortWaits },
    phases: [
      { runs: [tailscaled(inMemory, userspace), login] },
      complete,
      { act: crash, runs: [tailscaled(inMemory, userspace), login], lasts: 500 },
    ],
  },
  'the node is stopped from outside': {
    env: { ...withKey, ...shortWaits },
    phases: [
      { runs: [tailscaled(inMemory, userspace), login] },
      complete,
      { send: inState('Stopped'), runs: [login] },
      { send: running() },
    ],
  },
  'the node must log in again': {
    env: { ...withKey, ...shortWaits },
    phases: [
      { runs: [tailscaled(inMemory, userspace), login] },
      complete,
      { send: inState('NeedsLogin'), runs: [login] },
      { send: running() },
    ],
  },
  'the bus ends, and sends something malformed': {
    env: inPod,
    phases: [
      podStart,
      { ...complete, secret: { ...capver, ...device } },
      { act: ({ localApi }) => localApi.sendLine('{"State":'), lasts: 300 },
      { act: ({ localApi }) => localApi.endWatches(), lasts: 300 },
      { send: running('newID'), secret: renamed },
    ],
  },
  'the Kubernetes API is away': {
    env: inPod,
    phases: [
      podStart,
      { ...complete, secret: { ...capver, ...device } },
      { act: ({ kube }) => (kube.gone = true), send: running('newID'), lasts: 1000 },
      { act: ({ kube }) => (kube.gone = false), secret: renamed },
    ],
  },
  'the config file is broken, and then another one': {
    env: oneStep,
    phases: [
      { runs: [tailscaled(inMemory, userspace, withConfig)] },
      complete,
      { write: { [configFile]: '{' }, log: /warning: .*cap-95\.hujson.*the last good one stays in use/ },
      { write: { [configFile]: '{"Version":"alpha0","Hostname":"b"}' }, asked: 'POST reload-config' },
    ],
  },
  'a failing login in one step and without a Secret, which then succeeds': {
    env: oneStep,
    phases: [
      { runs: [tailscaled(inMemory, userspace, withConfig)] },
      { send: { Health: { Warnings: { 'login-state': {} } } }, lasts: 500 },
      complete,
    ],
  },
  'a person must log in, for longer than the boot deadline': {
    env: { ...shortWaits, TS_BOOT_TIMEOUT: '8s' },
    phases: [
      { runs: [tailscaled(inMemory, userspace), up('--accept-dns=false')] },
      {
        send: { ...inState('NeedsLogin'), BrowseToURL: 'https://login.test/a/1' },
        log: /log in at https:\/\/login\.test\/a\/1$/,
        lasts: 8500,
      },
      complete,
    ],
  },
  'the node must be approved, for longer than the boot deadline': {
    env: { ...withKey, ...shortWaits, TS_BOOT_TIMEOUT: '8s' },
    phases: [
      { runs: [tailscaled(inMemory, userspace), login] },
      { send: inState('NeedsMachineAuth'), log: /waits for approval/, lasts: 8500 },
      complete,
    ],
  },
}
