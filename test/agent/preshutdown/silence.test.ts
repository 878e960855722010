import { describe, expect, it } from 'vitest'
import type { Environment } from '../../../agent/settings/read.ts'
import { poll } from '../../lab/poll.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'
import { aDrainingWorld, podAddress } from './a-draining-world.ts'
import { balancer, type Behind, open, other, pod, safe, until, urlsOf } from './pod.ts'

describe('does not wait for ever', () => {
  const silence = { drainPing: 5000, drainSilence: 200 }
  it.each<[string, (address: string) => string, Behind[], RegExp]>([
    ['an endpoint that hangs', (address) => `http://${address}/`, ['hang'], /s \(no answer within 0.05 s\)/],
    ['an endpoint that closes the connection', (address) => `http://${address}/`, ['cut'], /s \(socket hang up\)/],
    [
      'a hanging endpoint among others',
      (address) => `http://${address}/`,
      [other, 'hang'],
      /s \(no answer within 0.05 s\)/,
    ],
    ['a malformed URL', () => '10.0.0.9:80', [other], /s \(its health URL is not one\)/],
    ['another scheme', () => 'ftp://10.0.0.9/', [other], /s \(its health URL is not one\)/],
  ])('for %s', async (_name, urlOf, pods, reason) => {
    const address = await open(balancer(...pods).listener)
    const timings = { ...silence, ...(pods.includes('hang') && { drainPing: 50 }) }
    const { hook, lines } = await pod(aDrainingWorld({ s: urlOf(address) }), timings)
    expect(await hook()).toMatchObject(safe)
    expect(lines).toContainEqual(
      expect.stringMatching(/^preshutdown: warning: assuming that these no longer route here/),
    )
    expect(lines).toContainEqual(expect.stringMatching(reason))
  })

  it('but waits while the Pod does not answer itself, since silence then means nothing', async () => {
    const own = balancer('hang')
    const env = { TS_LOCAL_ADDR_PORT: await open(own.listener) }
    const world = aDrainingWorld({ s: `http://${await open(balancer('hang').listener)}/` }, env)
    const { hook, lines, store } = await pod(world, { drainPing: 50, drainSilence: 200 })
    const answered = hook()
    await until('rounds of more than that silence', () => own.seen.all >= 5)
    expect(store.world.preshutdown?.phase).toBe('asking')
    own.lead(podAddress)
    expect(await answered).toMatchObject(safe)
    expect(lines).toContainEqual(
      expect.stringMatching(/assuming that these no longer route here.*: s \(no answer within 0.05 s\)/),
    )
  })

  it('for services that still route here', async () => {
    const urls = urlsOf(2, await open(balancer(podAddress).listener))
    const clock = new VirtualClock()
    const { hook, lines, store } = await pod(aDrainingWorld(urls), { drainLimit: 60_000 }, clock)
    const answered = hook()
    const reasons = () => [...(store.world.preshutdown?.waitingFor.values() ?? [])]
    const pass = async (ms: number, isOver: () => boolean) => (await clock.advance(ms), isOver() || undefined)
    await poll('answers', () => pass(5, () => reasons().join() === 'it routes here,it routes here'))
    let isOver = false
    void answered.then(() => (isOver = true))
    await poll('the limit', () => pass(10_000, () => isOver))
    expect(await answered).toMatchObject(safe)
    expect(lines).toContain(
      'preshutdown: warning: not waiting for these any longer: s0 (it routes here), s1 (it routes here)',
    )
  })

  it('for a service that is no longer configured', async () => {
    const urls = urlsOf(2, await open(balancer(podAddress).listener))
    const { hook, store, lines } = await pod(aDrainingWorld(urls))
    const answered = hook()
    await until('the drain to begin', () => store.world.preshutdown?.waitingFor.size === 2)
    const { mounted } = aDrainingWorld({ other: '' })
    store.update((world) => ({ ...world, mounted }))
    expect(await answered).toMatchObject(safe)
    expect(lines.join('\n')).not.toContain('warning')
  })

  it.each<[string, Environment]>([
    ['POD_IPS', { POD_IPS: '' }],
    ['TS_ENABLE_HEALTH_CHECK', { TS_ENABLE_HEALTH_CHECK: '' }],
  ])('without %s, which is needed to recognise answers', async (name, env) => {
    const health = balancer('')
    const { hook, lines } = await pod(aDrainingWorld(urlsOf(1, await open(health.listener)), env), silence)
    expect(await hook()).toMatchObject(safe)
    expect(health.seen.all).toBe(0)
    expect(lines.join('\n')).toMatch(new RegExp(`warning: assuming that these no longer route here.*: s0 \\(${name} `))
  })
})
