import { expect, it } from 'vitest'
import { healthz, probes } from '../../../agent/endpoints/probes.ts'
import type { World } from '../../../agent/world/world.ts'
import { aWorld } from '../a-world.ts'

const podOf = { POD_IPS: '10.0.0.1' }
const ask = (path: '/livez' | '/readyz', query = '', world = aWorld(), stuck: readonly string[] = []) =>
  probes({ world: () => world, stuck: () => stuck, since: () => undefined, named: String })[path](
    new URLSearchParams(query),
  )

it('is alive as long as nothing hangs', () => {
  expect(ask('/livez')).toEqual({ status: 200, body: 'ok' })
  expect(ask('/livez', '', aWorld({ lifecycle: { stopping: 'received SIGTERM' } }))).toMatchObject({ status: 200 })
  expect(ask('/livez', '', aWorld(), ['forwarding'])).toEqual({ status: 500, body: 'stuck: forwarding' })
})

it('is ready when every check that counts is ok, and says which are not', () => {
  expect(ask('/readyz')).toEqual({ status: 200, body: 'ok' })
  const world = aWorld({ reports: {}, stateSecret: { name: 's', problem: 'refused' } })
  expect(ask('/readyz', '', world)).toEqual({ status: 503, body: 'forwarding: the rules are not in place yet' })
  const verbose = ask('/readyz', 'verbose', world)
  expect(verbose.status).toBe(503)
  expect(verbose.body.split('\n')).toEqual([
    '[+]shutdown ok',
    '[!]state-secret failing since now: refused (traffic does not depend on it)',
    '[+]tailscaled ok',
    '[+]addresses ok',
    '[-]forwarding waiting since now: the rules are not in place yet',
    'readyz check failed',
  ])
})

it('names settings as they were set', () => {
  const world = aWorld({ reports: {}, stateSecret: { name: 's', problem: 'TS_KUBE_SECRET' } })
  const named = (text: string): string => text.replace('the rules', 'RULES').replace('TS_KUBE_SECRET', '--kube-secret')
  const { '/readyz': readyz } = probes({ world: () => world, stuck: () => [], since: () => undefined, named })
  expect(readyz(new URLSearchParams()).body).toBe('forwarding: RULES are not in place yet')
  expect(readyz(new URLSearchParams('verbose')).body).toContain('since now: --kube-secret (')
})

it.each<[string, World, readonly string[], object]>([
  ['all is well', aWorld({}, podOf), [], { status: 200, body: 'ok', headers: { 'Pod-IPv4': '10.0.0.1' } }],
  ['a reconciler hangs', aWorld({}, podOf), ['forwarding'], { status: 503, body: 'stuck: forwarding' }],
  [
    'tailscaled is gone',
    aWorld({ daemon: { phase: 'down', restarts: 1 } }),
    [],
    { status: 503, body: 'tailscaled is down' },
  ],
  [
    'the node has no address',
    aWorld({ tailnet: { watching: true, noSnat: false, health: new Map() }, reports: {} }),
    [],
    { status: 503, body: 'node currently has no tailscale IPs' },
  ],
])('tells as upstream does whether the node is healthy, when %s', (_name, world, stuck, answer) => {
  expect(healthz({ world: () => world, stuck: () => stuck, since: () => undefined, named: String })).toEqual(answer)
})
