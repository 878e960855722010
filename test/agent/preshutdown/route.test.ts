import { describe, expect, it } from 'vitest'
import type { World } from '../../../agent/world/world.ts'
import { aDrainingWorld, podAddress } from './a-draining-world.ts'
import { balancer, type Behind, open, other, pod, safe, until, urlsOf } from './pod.ts'
import { acceptsConnections } from './accepts-connections.ts'

describe('answers at once', () => {
  const noServices = (rejected?: string): World => ({
    ...aDrainingWorld(),
    mounted: { egressServices: { content: undefined, ...(rejected && { rejected }) } },
  })
  it.each<[string, World, object]>([
    ['nothing is configured', noServices(), safe],
    ['no file has been read yet', aDrainingWorld(), { status: 200, body: '' }],
    ['there are no services', aDrainingWorld(), { status: 200, body: '' }],
    ['there has never been a good file', noServices('no JSON'), { status: 500, body: 'no JSON\n' }],
  ])('when %s', async (_name, world, expected) => {
    const { hook, lines, store } = await pod(world, { drainSettle: 60_000 })
    expect(await hook()).toMatchObject(expected)
    expect([lines, store.world.preshutdown]).toEqual([[], undefined])
  })
})

/** Two rounds of three. */
const elsewhere = Array<string>(6).fill(other)

describe('ends', () => {
  it.each<[string, { pods: Behind[]; pings?: number; count?: number; asked: number }]>([
    ['without a ping if there is no health URL', { pods: [podAddress], count: 0, asked: 0 }],
    ['without a ping if there are to be none', { pods: [podAddress], pings: 0, asked: 0 }],
    ['when another Pod has answered two rounds', { pods: [other], asked: 6 }],
    ['two rounds after its own last answer', { pods: [podAddress, podAddress, ...elsewhere], asked: 8 }],
    ['two rounds after a round with its own answer', { pods: [other, other, podAddress, ...elsewhere], asked: 9 }],
    [
      'two rounds after its own answer in the second one',
      { pods: [other, other, other, podAddress, ...elsewhere], asked: 10 },
    ],
    ['two rounds after one without an answer', { pods: ['cut', ...elsewhere], asked: 7 }],
    ['after pinging each service', { pods: [other], count: 7, asked: 42 }],
  ])('%s', async (_name, { pods, pings = 3, count = 1, asked }) => {
    const health = balancer(...pods)
    const urls = { ...urlsOf(count, await open(health.listener)), none: '' }
    const { hook } = await pod(aDrainingWorld(urls, {}, pings))
    expect(await hook()).toMatchObject(safe)
    expect(health.seen.all).toBe(asked)
  })

  it('logs the wait, and keeps accepting new connections meanwhile, as anybody can call the hook', async () => {
    const health = balancer(podAddress)
    const { hook, store, lines } = await pod(aDrainingWorld(urlsOf(1, await open(health.listener))), {
      progress: 50,
      drainSettle: 100,
    })
    const accepts: boolean[] = []
    store.watch(() => accepts.push(acceptsConnections(store.world)), new AbortController().signal)
    const answered = hook()
    await until('a line about the service', () => lines.some((line) => line.includes('it routes here')))
    expect(store.world.preshutdown).toMatchObject({ phase: 'asking', waitingFor: new Map([['s0', 'it routes here']]) })
    health.lead(other)
    await until('the service to be drained', () => store.world.preshutdown?.phase === 'settling')
    expect(await answered).toMatchObject(safe)
    await until('the wait to be over', () => store.world.preshutdown === undefined)
    expect(new Set(accepts)).toEqual(new Set([true]))
    // A slow look may come between two rounds that reach other Pods.
    const reported = lines.filter((line) => !/asking once more|not asked yet/.test(line))
    expect(reported.filter((line, index) => line !== reported[index - 1])).toEqual([
      'preshutdown: waiting until no service routes to this Pod any more (1)',
      'preshutdown: waiting for s0 (it routes here)',
      expect.stringMatching(/^preshutdown: no service routes to this Pod any more, after [\d.]+ s$/),
      'preshutdown: waiting another 0.1 s for all nodes to route elsewhere',
      'preshutdown: safe to terminate',
    ])
  })

  it('pings hundreds of services, 64 at a time, with few log lines', async () => {
    const health = balancer(other, other, podAddress, other, other, other, other)
    const urls = urlsOf(300, await open(health.listener))
    const { hook, lines } = await pod(aDrainingWorld(urls), {
      drainRound: 100,
      drainPing: 10_000,
      drainSilence: 60_000,
      // For a busy machine.
      drainLimit: 600_000,
    })
    expect(await hook()).toMatchObject(safe)
    expect(health.seen.all).toBeGreaterThan(6 * 300)
    expect(health.seen.most).toBeGreaterThan(20)
    expect(health.seen.most).toBeLessThanOrEqual(64)
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(300)
  })
})

describe('the wait', () => {
  it('ends early when its client has gone', async () => {
    const health = balancer('hang')
    const { hook, store, lines } = await pod(aDrainingWorld(urlsOf(3, await open(health.listener))), {
      drainPing: 60_000,
      drainDeserted: 20,
    })
    const client = new AbortController()
    const answered = hook(client.signal)
    await until('the pings', () => health.seen.atOnce === 3)
    client.abort()
    await expect(answered).rejects.toThrow(/abort/)
    await until('the wait to be over', () => store.world.preshutdown === undefined)
    await until('the pings to end', () => health.seen.atOnce === 0)
    expect(lines.at(-1)).toBe('preshutdown: ended, since nobody waits any more')
  })

  it('goes on while clients call again and again: one wait serves all of them', async () => {
    const health = balancer('hang')
    const { hook, lines } = await pod(aDrainingWorld(urlsOf(3, await open(health.listener))), {
      drainPing: 600_000,
      drainDeserted: 600_000,
    })
    for (let count = 0; count < 20; count += 1) {
      const client = new AbortController()
      const answered = hook(client.signal)
      await until('the pings', () => health.seen.all === 3)
      client.abort()
      await expect(answered).rejects.toThrow(/abort/)
    }
    expect(health.seen.all).toBe(3)
    expect(lines).toEqual(['preshutdown: waiting until no service routes to this Pod any more (3)'])
  })

  it('goes on while another client still waits', async () => {
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
    expect(lines.filter((line) => line.includes('until no service routes'))).toHaveLength(1)
    expect(store.world.preshutdown).toBeUndefined()
  })

  it('ends when the agent stops', async () => {
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

  it('can be called again afterwards', async () => {
    const health = balancer(podAddress)
    const { hook, store } = await pod(aDrainingWorld(urlsOf(1, await open(health.listener))), { drainSettle: 50 })
    const client = new AbortController()
    const answered = hook(client.signal)
    await until('some rounds', () => health.seen.all > 3)
    client.abort()
    await expect(answered).rejects.toThrow(/abort/)
    health.lead(other)
    expect(await hook()).toMatchObject(safe)
    expect(store.world.preshutdown).toBeUndefined()
  })
})
