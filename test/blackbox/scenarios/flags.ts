import { running } from '../localapi.ts'
import { inMemory, onDisk, type Scenarios, tailscaled, up, userspace, withKey } from './common.ts'

/** Settings as flags. */
export const flags: Scenarios = {
  'flags alone': {
    // What every scenario has in the environment.
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
      { tell: running(), answers: { '{port}/readyz': 200, '{port}/healthz': 200 } },
    ],
  },
  'flags without a command, over the environment': {
    env: { ...withKey, TS_HOSTNAME: 'other' },
    args: ['--hostname', 'proxy'],
    phases: [
      {
        runs: [tailscaled(inMemory, userspace), up('--accept-dns=false', '--authkey=tskey-key', '--hostname=proxy')],
        log: 'flags go before the environment, so that these are not used: TS_HOSTNAME',
      },
      { tell: running() },
    ],
  },
  'a flag that there is not': {
    args: ['--dst-ip=10.0.0.1'],
    phases: [{ exit: 2, log: 'error: there is no flag --dst-ip: did you mean --dest-ip?' }],
  },
  'a flag without its value': {
    args: ['run', '--dest-ip'],
    phases: [{ exit: 2, log: 'error: --dest-ip has no value: write --dest-ip=VALUE' }],
  },
  'a word that is no flag': {
    args: ['run', 'now'],
    phases: [{ exit: 2, log: 'error: the first argument is not a flag: flags begin with "--"' }],
  },
  'a secret among arguments': {
    args: ['--authkey=tskey-key'],
    phases: [{ exit: 2, log: /error: --authkey takes file:PATH alone/ }],
  },
  'a secret in one argument with its flag': {
    args: ['--authkey tskey-key'],
    phases: [{ exit: 2, log: /error: --authkey has something else than "=" behind it: write --authkey=VALUE$/ }],
  },
  'a value that can never work': {
    args: ['--dest-ip=10.0.0', '--userspace=false'],
    phases: [{ exit: 1, log: /error: --dest-ip="10\.0\.0" is not valid/ }],
  },
}
