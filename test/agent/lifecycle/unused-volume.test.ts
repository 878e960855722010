import { expect, it } from 'vitest'
import { mountPoints, unusedVolume } from '../../../agent/lifecycle/unused-volume.ts'
import { type Environment, readSettings } from '../../../agent/settings/read.ts'

const warnings = (env: Environment, ...mounted: string[]) => unusedVolume(readSettings(env).settings, mounted)

it('a volume for the state that is not written to is named, with what is missing', () => {
  expect(warnings({}, '/', '/proc', '/var/lib/tailscale')).toEqual([
    '/var/lib/tailscale is mounted, but the node’s state is kept in memory, so that each start makes a new node: set TS_STATE_DIR=/var/lib/tailscale',
  ])
  expect(warnings({ TS_STATE_DIR: '' }, '/var/lib')).toEqual([expect.stringMatching(/^\/var\/lib is mounted/)])
})

it.each<[Environment, ...string[]]>([
  [{}, '/', '/proc', '/var', '/var/lib/tailscale-other', '/var/lib/tailscale/files'],
  [{ TS_STATE_DIR: '/var/lib/tailscale' }, '/var/lib/tailscale'],
  [{ TS_KUBE_SECRET: 'proxy' }, '/var/lib/tailscale'],
  [{ TS_TAILSCALED_EXTRA_ARGS: '--state=mem:' }, '/var/lib/tailscale'],
  [{ TS_TAILSCALED_EXTRA_ARGS: '--verbose=1 --statedir /var/lib/tailscale' }, '/var/lib/tailscale'],
])('%j with %s is none', (env, ...mounted) => {
  expect(warnings(env, ...mounted)).toEqual([])
})

it('finds what is mounted here, and nothing where it cannot look', () => {
  expect(mountPoints('')).toContain('/proc')
  expect(mountPoints('/nowhere')).toEqual([])
})
