import { describe, expect, it } from 'vitest'
import { close, type Route } from '../../../lib/http-server.ts'
import { type Listener, listeners, openListener } from '../../../agent/endpoints/listener.ts'
import { type Environment, readSettings } from '../../../agent/settings/read.ts'
import { aWorld } from '../a-world.ts'
import { ask, onLoopback } from '../../lib/http-servers.ts'

const observed = { world: aWorld, stuck: () => [], since: () => undefined, named: String }
const metrics = () => ({ status: 200, body: 'metrics' })
const planned = (env: Environment, preshutdown?: Route): Listener[] =>
  listeners(readSettings(env).settings, observed, metrics, preshutdown)

const health = { TS_ENABLE_HEALTH_CHECK: 'true' }
const all = { TS_ENABLE_METRICS: 'true' }
const older = { TS_HEALTHCHECK_ADDR_PORT: '[::1]:81' }
const debug = { TS_DEBUG_ADDR_PORT: '127.0.0.1:1' }
const paths = ['/livez', '/readyz', '/healthz', '/metrics', '/debug/'] as const

describe('listeners and their routes', () => {
  it.each<[string, Environment, [string, ...string[]][]]>([
    ['nothing asked for', {}, []],
    ['a debug server alone', debug, []],
    ['health', health, [['[::]:9002', '/livez', '/readyz', '/healthz']]],
    ['metrics', all, [['[::]:9002', '/livez', '/readyz', '/metrics']]],
    ['metrics and debug', { ...all, ...debug }, [['[::]:9002', '/livez', '/readyz', '/metrics', '/debug/']]],
    ['health and debug', { ...health, ...debug }, [['[::]:9002', '/livez', '/readyz', '/healthz']]],
    [
      'health and metrics on one listener',
      { ...health, ...all },
      [['[::]:9002', '/livez', '/readyz', '/healthz', '/metrics']],
    ],
    ['the older health listener', older, [['[::1]:81', '/livez', '/readyz', '/healthz']]],
    [
      'a listener for each',
      { ...older, ...all, ...debug, TS_LOCAL_ADDR_PORT: '127.0.0.1:82' },
      [
        ['127.0.0.1:82', '/livez', '/readyz', '/metrics', '/debug/'],
        ['[::1]:81', '/livez', '/readyz', '/healthz'],
      ],
    ],
  ])('%s', async (_name, env, expected) => {
    const served = await Promise.all(
      planned(env).map(async ({ address, answer }) => {
        const front = await onLoopback(answer)
        const statuses = await Promise.all(paths.map((path) => ask(front.address, path).then(({ status }) => status)))
        await close(front.server)
        return [address.text, ...paths.filter((_path, index) => statuses[index] !== 404)]
      }),
    )
    expect(served).toEqual(expected)
  })
})

it('serves the preStop hook if it is configured', async () => {
  const path = '/internal-egress-services-preshutdown'
  const statuses = [undefined, () => ({ status: 200, body: '' })].map(async (preshutdown) => {
    const [listener] = planned(health, preshutdown)
    const front = await onLoopback(listener!.answer)
    const { status } = await ask(front.address, path)
    await close(front.server)
    return status
  })
  expect(await Promise.all(statuses)).toEqual([404, 200])
})

it.each<[string, Environment]>([
  ['TS_LOCAL_ADDR_PORT', health],
  ['TS_HEALTHCHECK_ADDR_PORT', {}],
])('reports an address in use with %s', async (name, env) => {
  const taken = await onLoopback(() => {})
  const [listener] = planned({ ...env, [name]: taken.address })
  await expect(openListener(listener!, () => {})).rejects.toMatchObject({
    code: 'listen',
    message: `the endpoints cannot listen on ${taken.address}`,
    cause: expect.objectContaining({ code: 'EADDRINUSE' }),
    remedy: `${name} sets the address.`,
  })
  await close(taken.server)
})
