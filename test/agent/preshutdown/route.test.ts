import { describe, expect, it } from 'vitest'
import { draining } from '../../../agent/preshutdown/preshutdown.ts'
import type { World } from '../../../agent/world/world.ts'
import { aDrainingWorld, podAddress } from './a-draining-world.ts'
import { balancer, type Behind, open, other, pod, safe, until, urlsOf } from './pod.ts'

describe('answers at once', () => {
  const absent = { ...aDrainingWorld(), egressServices: { content: undefined } }
  it.each<[string, World, object]>([
    ['nothing is configured', absent, safe],
    ['no file was read yet', aDrainingWorld(), { status: 200, body: '' }],
    ['there are no services', aDrainingWorld(), { status: 200, body: '' }],
    [
      'there never was a good file',
      { ...absent, egressServices: { content: undefined, rejected: 'no JSON' } },
      { status: 500, body: 'no JSON\n' },
    ],
  ])('when %s', async (_name, world, expected) => {
    const { hook, lines, store } = await pod(world, { drainSettle: 60_000 })
    expect(await hook()).toMatchObject(expected)
    expect([lines, draining(store.world)]).toEqual([[], undefined])
  })
})

/** Two rounds of three. */
const elsewhere = Array<string>(6).fill(other)

describe('drains', () => {
  it.each<[string, { pods: Behind[]; pings?: number; count?: number; asked: number }]>([
    ['without a health URL, asking nobody', { pods: [podAddress], count: 0, asked: 0 }],
    ['with no pings, asking nobody', { pods: [podAddress], pings: 0, asked: 0 }],
    ['when another Pod answers all pings, twice', { pods: [other], asked: 6 }],
    ['when its own answers come to an end', { pods: [podAddress, podAddress, ...elsewhere], asked: 8 }],
    ['when a round ended with its own answer', { pods: [other, other, podAddress, ...elsewhere], asked: 9 }],
    ['when the second round led here', { pods: [other, other, other, podAddress, ...elsewhere], asked: 10 }],
    ['when a round ended with silence', { pods: ['cut', ...elsewhere], asked: 7 }],
    ['as often as there are services', { pods: [other], count: 7, asked: 42 }],
  ])('%s', async (_name, { pods, pings = 3, count = 1, asked }) => {
    const health = balancer(...pods)
    const urls = { ...urlsOf(count, await open(health.listener)), none: '' }
    const { hook } = await pod(aDrainingWorld(urls, {}, pings))
    expect(await hook()).toMatchObject(safe)
    expect(health.seen.all).toBe(asked)
  })

  it('and says so, while readiness is down', async () => {
    const health = balancer(podAddress)
    const { hook, store, lines } = await pod(aDrainingWorld(urlsOf(1, await open(health.listener))), {
      progress: 50,
      drainSettle: 100,
    })
    const answered = hook()
    await until('two lines', () => lines.length >= 2)
    expect(draining(store.world)).toBe('draining: waiting for s0 (it leads here)')
    health.lead(other)
    await until('the service to be drained', () => store.world.preshutdown?.phase === 'settling')
    expect(draining(store.world)).toMatch(/other nodes/)
    expect(await answered).toMatchObject(safe)
    expect(draining(store.world)).toMatch(/SIGTERM/)
    await until('readiness to come back', () => draining(store.world) === undefined)
    // A slow look may come between two rounds that lead elsewhere.
    const told = lines.filter((line) => !line.includes('asked once more'))
    expect(told.filter((line, index) => line !== told[index - 1])).toEqual([
      'preshutdown: waiting until none of the services leads to this Pod any more (1)',
      'preshutdown: waiting for s0 (it leads here)',
      expect.stringMatching(/^preshutdown: no service leads to this Pod any more, after [\d.]+ s$/),
      'preshutdown: waiting another 0.1 s for all nodes to route elsewhere',
      'preshutdown: safe to terminate',
      'preshutdown: no signal has followed: new connections are welcome again',
    ])
  })

  it.each<[string, () => Promise<number>, RegExp | undefined]>([
    [
      'resets what is open, and waits until that is forgotten',
      async () => 3,
      /3 open connections reset; waiting 0.2 s/,
    ],
    ['waits for nothing where nothing is open', async () => 0, undefined],
    [
      'and says so when what is open cannot be reset',
      () => Promise.reject(new Error('no conntrack')),
      /warning: connections that are open .*: no conntrack/,
    ],
  ])('%s', async (_what, endFlows, said) => {
    const health = balancer(other)
    const settling = { drainSettle: 20, drainForget: 200 }
    const { hook, store, lines } = await pod(
      aDrainingWorld(urlsOf(1, await open(health.listener))),
      settling,
      async (): Promise<number> => {
        expect(store.world.preshutdown?.phase).toBe('settling')
        return endFlows()
      },
    )
    const begun = performance.now()
    expect(await hook()).toMatchObject(safe)
    if (said === undefined) expect(lines.join('\n')).not.toMatch(/reset|warning/)
    else expect(lines.join('\n')).toMatch(said)
    if (lines.join().includes('reset;')) expect(performance.now() - begun).toBeGreaterThan(settling.drainForget)
  })

  it('a thousand services, 64 at a time, in few lines', async () => {
    const health = balancer(other, other, podAddress, other, other, other, other)
    const urls = urlsOf(1000, await open(health.listener))
    const { hook, lines } = await pod(aDrainingWorld(urls), {
      drainRound: 100,
      drainPing: 10_000,
      drainSilence: 20_000,
    })
    expect(await hook()).toMatchObject(safe)
    expect(health.seen.all).toBeGreaterThan(6000)
    expect(health.seen.most).toBeGreaterThan(20)
    expect(health.seen.most).toBeLessThanOrEqual(64)
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(300)
  })
})

describe('ends before', () => {
  it('when whoever asked has gone: at once, and the Pod is ready again', async () => {
    const health = balancer('hang')
    const { hook, store, lines } = await pod(aDrainingWorld(urlsOf(3, await open(health.listener))), {
      drainPing: 60_000,
    })
    const client = new AbortController()
    const answered = hook(client.signal)
    await until('the pings', () => health.seen.atOnce === 3)
    client.abort()
    await expect(answered).rejects.toThrow(/abort/)
    await until('readiness to come back', () => draining(store.world) === undefined)
    await until('the pings to end', () => health.seen.atOnce === 0)
    expect(lines.at(-1)).toBe('preshutdown: ended, since nobody waits any more')
  })

  it('not when another one still waits', async () => {
    const health = balancer(podAddress)
    const { hook, store, lines } = await pod(aDrainingWorld(urlsOf(1, await open(health.listener))))
    const client = new AbortController()
    const first = hook(client.signal)
    const second = hook()
    await until('some rounds', () => health.seen.all > 3)
    client.abort()
    await expect(first).rejects.toThrow(/abort/)
    expect(health.seen.most).toBe(1)
    const before = health.seen.all
    await until('rounds to go on', () => health.seen.all > before + 3)
    health.lead(other)
    expect(await second).toMatchObject(safe)
    expect(lines.filter((line) => line.includes('until none of the services'))).toHaveLength(1)
    expect(store.world.preshutdown?.phase).toBe('over')
  })

  it('when the agent stops', async () => {
    const health = balancer(podAddress)
    const { hook, stop, lines } = await pod(aDrainingWorld(urlsOf(1, await open(health.listener))))
    const answered = hook()
    await until('some rounds', () => health.seen.all > 3)
    stop.abort()
    expect(await answered).toMatchObject({ status: 503 })
    expect(lines.at(-1)).toBe('preshutdown: ended, since the agent stops')
    const before = health.seen.all
    expect(await hook()).toMatchObject({ status: 503 })
    expect(health.seen.all).toBe(before)
  })

  it('and can be asked again after that', async () => {
    const health = balancer(podAddress)
    const { hook, store } = await pod(aDrainingWorld(urlsOf(1, await open(health.listener))), { drainSettle: 50 })
    const client = new AbortController()
    const answered = hook(client.signal)
    await until('some rounds', () => health.seen.all > 3)
    client.abort()
    await expect(answered).rejects.toThrow(/abort/)
    health.lead(other)
    expect(await hook()).toMatchObject(safe)
    expect(store.world.preshutdown?.phase).toBe('over')
  })
})
