import { inState, type Message, running } from '../localapi.ts'
import type { Scenario } from '../scenario.ts'
import {
  capver,
  device,
  inKubernetes,
  inMemory,
  inSecret,
  oneStep,
  type Scenarios,
  tailscaled,
  userspace,
  withConfig,
} from './common.ts'
import { configFile } from '../root.ts'

const start = tailscaled(inSecret, userspace, withConfig)
const config = '{"Version":"alpha0","AuthKey":"new-reissued-auth-key"}'
const swapped = 'etc/tailscaled/..data'

/** Another auth key is requested, and ends the agent when it comes. The files may be written in either order. */
const reissue = (refused: Message, [first, then]: readonly ['file' | 'link', 'file' | 'link']): Scenario => {
  const newKey = { file: { [configFile]: config }, link: { [swapped]: 'updated' } } as const
  return {
    env: { ...inKubernetes, ...oneStep },
    files: { [swapped]: '' },
    phases: [
      { runs: [start], secret: capver },
      {
        send: refused,
        secret: { ...capver, reissue_authkey: 'some-auth-key' },
        log: 'watching for config changes via fsnotify',
        asked: 'POST disconnect-control',
      },
      {
        write: { ...newKey[first], ...newKey[then] },
        exit: 0,
        secret: capver,
        log: 'Successfully received new auth key, restarting to apply configuration',
      },
    ],
  }
}

const needsLogin = inState('NeedsLogin')
const authFails: Message = { Health: { Warnings: { 'login-state': {} } } }

/** tailscaled logs in by itself, with its config file. */
export const inOneStep: Scenarios = {
  experimental_tailscaled_config_path: {
    env: oneStep,
    phases: [{ runs: [tailscaled(inMemory, userspace, withConfig)] }, { send: running() }],
  },
  sets_reissue_authkey_if_needs_login: reissue(needsLogin, ['link', 'file']),
  'sets_reissue_authkey_if_needs_login, file first': reissue(needsLogin, ['file', 'link']),
  sets_reissue_authkey_if_auth_fails: reissue(authFails, ['link', 'file']),
  'sets_reissue_authkey_if_auth_fails, file first': reissue(authFails, ['file', 'link']),
  clears_reissue_authkey_on_change: {
    env: { ...inKubernetes, ...oneStep },
    secret: { reissue_authkey: 'some-older-authkey', foo: 'bar' },
    phases: [
      { runs: [start], secret: { ...capver, foo: 'bar' } },
      { send: running(), secret: { ...capver, foo: 'bar', ...device } },
    ],
  },
}
