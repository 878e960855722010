import { describe, expect, it } from 'vitest'
import { advertiseKey, advertiseReconciler, planAdvertise } from '../../../agent/serve/advertise.ts'
import { httpsEndpoint, planServe, serveKey } from '../../../agent/serve/reconciler.ts'
import type { World } from '../../../agent/world/world.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'
import { aContext } from '../a-context.ts'
import { aReport } from '../a-world.ts'
import { aServingWorld as world, site } from './a-serving-world.ts'

const signal = new AbortController().signal
const forward = { 5432: { TCPForward: 'db:5432' } }
const services = { 'svc:a': { TCP: forward }, 'svc:b': { TCP: forward }, 'svc:empty': {} }

describe('the serve config to apply', () => {
  const { tailnet } = world({})
  it.each<[string, World, object | undefined]>([
    ['under the node’s own name', world({ certDomains: ['a.lab.ts.net', 'p.lab.ts.net'] }), { domain: 'p.lab.ts.net' }],
    [
      'otherwise under the first one',
      world({ certDomains: ['a.lab.ts.net', 'b.lab.ts.net'] }),
      { domain: 'a.lab.ts.net' },
    ],
    ['without one', world({ certDomains: [] }), { domain: undefined, config: {} }],
    [
      'none before the certificate domains are known',
      world({}, { tailnet: { ...tailnet, certDomains: undefined } as never }),
      undefined,
    ],
    ['none before tailscaled runs', world({}, { daemon: { phase: 'login', restarts: 0 } }), undefined],
    ['none while the node is stopped', world({}, { tailnet: { ...tailnet, state: 'Stopped' } }), undefined],
    [
      'none until a file has been good',
      world({}, { mounted: { serveConfig: { content: undefined, rejected: 'x' } } }),
      undefined,
    ],
    ['again after a restart of tailscaled', world({}, { daemon: { phase: 'running', restarts: 2 } }), { restarts: 2 }],
  ])('%s', (_name, now, desired) => {
    if (desired === undefined) expect(planServe(now)).toBe(undefined)
    else expect(planServe(now)).toMatchObject(desired)
  })

  it('https_endpoint is written after an attempt, failed or not', () => {
    expect(httpsEndpoint(world({}))).toBe(undefined)
    expect(httpsEndpoint(world({ served: {}, error: 'refused' }))).toBe('p.lab.ts.net')
    const desired = { config: {}, domain: undefined, restarts: 0 }
    const failed = { [serveKey.name]: { desired, repairs: 0, failures: 1, error: 'refused' } }
    expect(httpsEndpoint(world({}, { reports: failed }))).toBe('no-https')
  })
})

describe('which Tailscale Services are advertised', () => {
  it.each<[string, World, readonly string[] | undefined]>([
    [
      'those that are served',
      world({ config: { Services: services }, served: { Services: services } }),
      ['svc:a', 'svc:b'],
    ],
    ['nothing before anything is served', world({ config: { Services: services } }), undefined],
    [
      'not those that the file no longer names',
      world({ config: { Services: { 'svc:b': services['svc:b'] } }, served: { Services: services } }),
      ['svc:b'],
    ],
    [
      'not those that are refused',
      world({ config: { Services: services }, served: { Services: { 'svc:a': services['svc:a'] } }, error: 'refused' }),
      ['svc:a'],
    ],
    ['explicitly none', world({ served: site }), []],
    [
      'nothing until the serve config was read back after a restart',
      {
        ...world({ config: { Services: services }, served: { Services: services } }),
        daemon: { phase: 'running', restarts: 1 },
      },
      undefined,
    ],
  ])('%s', (_name, now, names) => {
    expect(planAdvertise(now)?.services).toEqual(names)
  })

  it('the agent advertises none if operators do', () => {
    const now = world({ config: { Services: services }, served: { Services: services } })
    expect(planAdvertise({ ...now, settings: { ...now.settings, advertisesServices: false } })).toBe(undefined)
  })

  const toAdvertise = (desired: readonly string[], former: readonly string[] = []) => ({
    services: desired,
    everServed: new Set(former),
    restarts: 0,
    config: undefined,
  })

  it.each<[string, string[], string[], string[], string[][]]>([
    ['nothing is written if nothing differs', ['svc:a', 'svc:x'], ['svc:a'], ['svc:a'], []],
    ['a new one is added to those of others', ['svc:x'], ['svc:a'], ['svc:a'], [['svc:x', 'svc:a']]],
    [
      'one that was served is removed',
      ['svc:a', 'svc:b', 'svc:x'],
      ['svc:a'],
      ['svc:a', 'svc:b'],
      [['svc:x', 'svc:a']],
    ],
    ['the last one is removed', ['svc:b'], [], ['svc:b'], [[]]],
  ])('%s', async (_name, before, desired, former, written) => {
    let now = before
    const changes: string[][] = []
    const api = {
      get: async () => JSON.stringify({ AdvertiseServices: now }),
      patch: async (_path: string, change: object) => {
        now = (change as { AdvertiseServices: string[] }).AdvertiseServices
        changes.push(now)
        return ''
      },
    }
    const { apply } = advertiseReconciler(api, signal)
    const changed = await apply(toAdvertise(desired, former), world({}))
    expect(changed).toBe(written.length > 0)
    expect(changes).toEqual(written)
  })

  it('it is an error when they did not stay advertised', async () => {
    const api = { get: async () => '{"AdvertiseServices":null}', patch: async () => '' }
    const { apply, key } = advertiseReconciler(api, signal)
    await expect(apply(toAdvertise(['svc:a']), world({}))).rejects.toMatchObject({
      code: 'verification-failed',
      message: expect.stringContaining('svc:a') as string,
    })
    expect(key).toBe(advertiseKey)
  })

  it('they are advertised again after a restart of tailscaled lost them, and no other program is blamed', async () => {
    const clock = new VirtualClock()
    let now: string[] = []
    const api = {
      get: async () => JSON.stringify({ AdvertiseServices: now }),
      patch: async (_path: string, change: object) => {
        now = (change as { AdvertiseServices: string[] }).AdvertiseServices
        return ''
      },
    }
    const config = { Services: services }
    const { context, store, lines, stop } = aContext(world({ config, served: config }), { clock, api })
    context.run(advertiseReconciler(context.api, stop.signal))
    await clock.settle()
    expect(now).toEqual(['svc:a', 'svc:b'])

    now = []
    store.update((before) => ({ ...before, daemon: { phase: 'down', restarts: 1 } }))
    await clock.settle()
    expect(now).toEqual([])
    const served = { config, domain: 'p.lab.ts.net', restarts: 1 }
    store.update((before) => ({
      ...before,
      daemon: { phase: 'running', restarts: 1 },
      reports: { ...before.reports, [serveKey.name]: aReport(served) },
    }))
    await clock.settle()
    expect(now).toEqual(['svc:a', 'svc:b'])
    expect(store.world.reports[advertiseKey.name]).toMatchObject({ repairs: 0, failures: 0 })
    expect(lines).toEqual([])
    stop.abort()
  })
})
