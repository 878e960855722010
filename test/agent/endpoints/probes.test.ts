import { expect, it } from 'vitest'
import { probes } from '../../../agent/endpoints/listener.ts'
import { aWorld } from '../a-world.ts'

const ask = (path: '/livez' | '/readyz', query = '', world = aWorld(), stuck: readonly string[] = []) =>
  probes({ world: () => world, stuck: () => stuck })[path]?.(new URLSearchParams(query))

it('is alive as long as nothing hangs', () => {
  expect(ask('/livez')).toEqual({ status: 200, body: 'ok' })
  expect(ask('/livez', '', aWorld({ stopping: 'received SIGTERM' }))).toMatchObject({ status: 200 })
  expect(ask('/livez', '', aWorld(), ['forwarding'])).toEqual({ status: 500, body: 'stuck: forwarding' })
})

it('is ready when every check that counts is ok, and says which are not', () => {
  expect(ask('/readyz')).toEqual({ status: 200, body: 'ok' })
  const world = aWorld({ facets: {}, stateSecret: { name: 's', problem: 'refused' } })
  expect(ask('/readyz', '', world)).toEqual({ status: 503, body: 'forwarding: the rules are not in place yet' })
  const verbose = ask('/readyz', 'verbose', world)
  expect(verbose?.status).toBe(503)
  expect(verbose?.body.split('\n')).toEqual([
    '[+]shutdown ok',
    '[!]state-secret failing since now: refused (traffic does not depend on it)',
    '[+]tailscaled ok',
    '[+]addresses ok',
    '[-]forwarding waiting since now: the rules are not in place yet',
    'readyz check failed',
  ])
})
