import { expect, test } from 'vitest'
import { CulvertError } from '../../../lib/errors.ts'
import { requirePrerequisites, problems, type Facts } from './prerequisites.ts'

const well: Facts = {
  platform: 'linux',
  uid: 0,
  capabilities: (1n << 41n) - 1n,
  go: 'go1.26.8',
  goNeeded: '1.26.6',
  tun: undefined,
  namespaces: undefined,
  cgroups: undefined,
  missingPackages: [],
  hasApt: true,
}

test('a machine that has everything has no problems', () => {
  expect(problems(well)).toEqual([])
  expect(problems({ ...well, missingPackages: ['tini'] })).toEqual([])
})

test.each<[string, Partial<Facts>, RegExp]>([
  ['another system', { platform: 'darwin' }, /^this is darwin.*Run it on Linux/],
  ['not root', { uid: 1000 }, /^this is user 1000.*Run it as root/],
  ['no rights', { capabilities: 0n }, /lacks CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_ADMIN here\. .*privileged/],
  ['a missing capability', { capabilities: ((1n << 41n) - 1n) ^ (1n << 12n) }, /lacks CAP_NET_ADMIN here/],
  ['namespaces refused', { namespaces: 'unshare failed: Operation not permitted' }, /not permitted.*privileged/],
  ['no TUN', { tun: 'ENODEV' }, /^\/dev\/net\/tun does not work: ENODEV\. Load the module/],
  ['no control groups', { cgroups: 'EROFS: read-only' }, /^control groups cannot be made.*EROFS.*start it privileged/],
  ['no Go', { go: undefined }, /^there is no Go\. Install Go 1\.26\.6 or later/],
  ['an old Go', { go: 'go1.25.9' }, /^go1\.25\.9 is too old\. Install Go 1\.26\.6 or later/],
  ['a Go of an older patch', { go: 'go1.26.5' }, /^go1\.26\.5 is too old/],
  ['no apt-get', { missingPackages: ['tini', 'nftables'], hasApt: false }, /Install tini, nftables with/],
])('%s: one line that names the remedy', (_case, facts, message) => {
  const found = problems({ ...well, ...facts })
  expect(found).toHaveLength(1)
  expect(found[0]).toMatch(message)
  expect(found[0]).not.toContain('\n')
})

test.each(['go1.26.6', 'go1.26.10', 'go1.27rc1', 'go1.30', 'go2.0', 'devel go1.28-abcdef'])(
  '%s is recent enough',
  (go) => {
    expect(problems({ ...well, go })).toEqual([])
  },
)

test('all problems are reported at once', () => {
  const bad = { ...well, go: undefined, tun: 'ENOENT' }
  expect(problems(bad)).toHaveLength(2)
  expect(() => requirePrerequisites(bad)).toThrow(CulvertError)
})
