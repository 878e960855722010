import { running } from '../localapi.ts'
import { inMemory, onDisk, type Scenarios, tailscaled, up, userspace, withKey } from './common.ts'

/** Settings as flags. */
export const flags: Scenarios = {
  'only flags': {
    // Unset what other scenarios have in the environment.
    env: { TS_SOCKET: '', TS_TEST_ONLY_ROOT: '', TS_TEST_FAKE_NETFILTER: '' },
    args: [
      'run',
      '--socket={root}/tmp/tailscaled.sock',
      '--test-only-root={root}',
      '--test-fake-netfilter',
      '--state-dir={root}/tmp',
      '--authkey',
      'file:{root}/run/key',
      '--hostname=proxy',
      '--local-addr-port=127.0.0.1:{port}',
      '--enable-health-check',
    ],
    phases: [
      {
        runs: [tailscaled(onDisk, userspace), up('--accept-dns=false', '--authkey=file:/run/key', '--hostname=proxy')],
        answers: { '{port}/readyz': 503 },
      },
      { send: running(), answers: { '{port}/readyz': 200, '{port}/healthz': 200 } },
    ],
  },
  'flags without a command take precedence over the environment': {
    env: { ...withKey, TS_HOSTNAME: 'other' },
    args: ['--hostname', 'proxy'],
    phases: [
      {
        runs: [tailscaled(inMemory, userspace), up('--accept-dns=false', '--authkey=tskey-key', '--hostname=proxy')],
        log: 'flags take precedence over the environment; not used: TS_HOSTNAME',
      },
      { send: running() },
    ],
  },
  'an unknown flag': {
    args: ['--dst-ip=10.0.0.1'],
    phases: [{ exit: 2, log: 'error: there is no flag --dst-ip: did you mean --dest-ip?' }],
  },
  'a flag without its value': {
    args: ['run', '--dest-ip'],
    phases: [{ exit: 2, log: 'error: --dest-ip has no value: write --dest-ip=VALUE' }],
  },
  'an argument that is not a flag': {
    args: ['run', 'now'],
    phases: [{ exit: 2, log: 'error: the first argument is not a flag: flags begin with "--"' }],
  },
  'a secret as an argument': {
    args: ['--authkey=tskey-key'],
    phases: [{ exit: 2, log: /error: --authkey takes only file:PATH/ }],
  },
  'a secret in the same argument as its flag': {
    args: ['--authkey tskey-key'],
    phases: [{ exit: 2, log: /error: --authkey has something else than "=" behind it: write --authkey=VALUE$/ }],
  },
  'a value that can never work': {
    args: ['--dest-ip=10.0.0', '--userspace=false'],
    phases: [{ exit: 1, log: /error: --dest-ip="10\.0\.0" is not valid/ }],
  },
}
