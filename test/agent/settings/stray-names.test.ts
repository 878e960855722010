import { expect, it } from 'vitest'
import { strayNames } from '../../../agent/settings/stray-names.ts'
import { variables } from '../../../agent/settings/variables.ts'

it.each([
  ['TS_AUTHKEY_FILE', 'TS_AUTHKEY=file:PATH'],
  ['AUTH_KEY', 'TS_AUTHKEY'],
  ['TS_ACCEPT_ROUTES', 'TS_EXTRA_ARGS=--accept-routes'],
  ['TS_ADVERTISE_ROUTES', 'TS_ROUTES'],
  ['TS_LOGIN_SERVER', 'TS_EXTRA_ARGS=--login-server=URL'],
  ['TS_TAGS', 'TS_EXTRA_ARGS=--advertise-tags=tag:NAME'],
  ['TS_FORCE_REAUTH', 'TS_EXTRA_ARGS=--force-reauth'],
  ['TS_PORT', 'TS_TAILSCALED_EXTRA_ARGS=--port=NUMBER'],
  // Without the prefix, as in the first versions of upstream's image.
  ['USERSPACE', 'TS_USERSPACE'],
  // Misspelt.
  ['TS_HOSTNAMES', 'TS_HOSTNAME'],
  ['TS_STATE_DIRS', 'TS_STATE_DIR'],
  ['TS_USERSPCAE', 'TS_USERSPACE'],
])('%s is not read, and the remedy is %s', (name, write) => {
  expect(strayNames({ [name]: 'secret-value' })).toEqual([`${name} is set, but nothing reads it: use ${write}`])
})

it('ignores names that are read, empty, or unlike ours', () => {
  const environment = Object.fromEntries([
    ...variables.map(({ name }) => [name, 'x']),
    ...[
      'PATH',
      'HOME',
      'TS_DEBUG_DISCO',
      'TS_NO_LOGS_NO_SUPPORT',
      'TS_PERMIT_CERT_UID',
      'TS_BE_CLI',
      'TS_STATE',
      'KUBERNETES_PORT',
    ].map((name) => [name, 'x']),
    ['TS_TAGS', ''],
  ])
  expect(strayNames(environment)).toEqual([])
})

it.each([
  ['AUTHKEY', 'TS_AUTHKEY', 'secret-value?ephemeral=true'],
  ['TAILSCALE_AUTHKEY', 'TS_AUTHKEY', 'secret-value'],
  ['TS_AUTHKEY_FILE', 'TS_AUTHKEY', 'file:secret-value'],
  ['TS_LOGIN_SERVER', 'TS_EXTRA_ARGS', '--ssh --login-server=secret-value'],
])('ignores %s, from which %s may be built', (name, made, value) => {
  expect(strayNames({ [name]: 'secret-value', [made]: value })).toEqual([])
})

it('warns of a flag that is not in the arguments', () => {
  expect(strayNames({ TS_SSH: 'true', TS_EXTRA_ARGS: '--accept-routes' })).toHaveLength(1)
})

it('ignores variables that Kubernetes sets for Services with such names', () => {
  expect(strayNames({ TS_PORT: 'tcp://10.0.0.9:80', TS_SOCKS5_PORT: 'udp://[fd00::9]:1055' })).toEqual([])
})

it('ignores names of properties of Object.prototype', () => {
  expect(strayNames({ constructor: 'x' })).toEqual([])
})
