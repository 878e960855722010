import { afterEach, expect, it } from 'vitest'
import { forwardingKey, planForwarding } from '../../../agent/forwarding/reconciler.ts'
import { contactTargets } from '../../../agent/forwarding/contact.ts'
import type { World } from '../../../agent/world/world.ts'
import { LocalApiError } from '../../../localapi/error.ts'
import { parseEgressServices } from '../../../wire/egress-services.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'
import { aContext } from '../a-context.ts'
import { aWorld } from '../a-world.ts'
import { aPeer, peersOf } from '../targets/peers.ts'

const env = {
  TS_USERSPACE: 'false',
  KUBERNETES_SERVICE_HOST: '10.96.0.1',
  TS_EGRESS_PROXIES_CONFIG_PATH: '/etc/proxies',
}
const timings = { contact: 300, contactPing: 20 }
/** How often targets that have answered are looked at, in ms. */
const restMs = 100

/** A World whose rules were last planned from these services, by name with their target. */
function planned(targets: Readonly<Record<string, string>>): World {
  const entries = Object.entries(targets).map(([name, ip], index) => {
    const ports = [{ protocol: 'TCP', matchPort: 10_000 + index, targetPort: 80 }]
    return [name, { tailnetTarget: { ip, fqdn: '' }, ports }]
  })
  const content = parseEgressServices(Buffer.from(JSON.stringify(Object.fromEntries(entries))))
  const peers = peersOf(...['100.64.0.8', '100.64.0.9'].map((text) => aPeer(`n${text}.`, [text])))
  const world = aWorld({ mounted: { egressServices: { content } }, contact: { services: new Set() } }, env)
  const known = { ...world, tailnet: { ...world.tailnet, peers } }
  return { ...known, reports: { [forwardingKey.name]: { desired: planForwarding(known), repairs: 0, failures: 0 } } }
}

const endings: (() => void)[] = []
afterEach(() => endings.splice(0).forEach((end) => end()))

/** Contacts the targets of these services; `answer` has the result of each ping, `address kind`. */
function contact(targets: Readonly<Record<string, string>>, answer: (ping: string) => Promise<string>) {
  const asked: string[] = []
  const clock = new VirtualClock()
  const post = (path: string): Promise<string> => {
    const query = new URLSearchParams(path.split('?')[1])
    const ping = `${query.get('ip')} ${query.get('type')}`
    asked.push(ping)
    return answer(ping)
  }
  const { context, store, lines, stop } = aContext(aWorld({ contact: { services: new Set() } }, env), {
    timings,
    clock,
    api: { post },
  })
  endings.push(() => stop.abort())
  contactTargets(context)
  const plan = (next: Readonly<Record<string, string>>): void =>
    store.update((now) => ({ ...planned(next), contact: now.contact }))
  plan(targets)
  const contacted = (): string[] => [...store.world.contact.services].toSorted()
  return { asked, lines, plan, contacted, clock, since: () => store.world.contact.since }
}

const yes = async (): Promise<string> => '{}'
const silence = async (): Promise<never> => {
  throw new LocalApiError('ping failed', Object.assign(new Error('late'), { code: 'ETIMEDOUT' }))
}

it('a service counts once its target has answered, first by any path and then through the tunnel', async () => {
  let open = false
  const { asked, contacted, lines, clock, since } = contact({ db: '100.64.0.9' }, (ping) =>
    ping.endsWith('TSMP') && !open ? silence() : yes(),
  )
  await clock.advance(timings.contact / 2)
  expect(asked.slice(0, 3)).toEqual(['100.64.0.9 disco', '100.64.0.9 TSMP', '100.64.0.9 TSMP'])
  expect(asked.slice(1)).not.toContain('100.64.0.9 disco')
  expect([contacted(), since()]).toEqual([[], undefined])
  open = true
  await clock.advance(timings.contactPing)
  expect([contacted(), lines]).toEqual([['db'], []])
  // The tunnel was open only for the last part of that time.
  expect(since()?.getTime()).toBeGreaterThan(clock.date().getTime() - timings.contactPing)
})

it('a target that does not answer is given up after a while, and delays no other', async () => {
  const { contacted, lines, clock, since } = contact({ db: '100.64.0.9', gone: '100.64.0.8' }, (ping) =>
    ping.startsWith('100.64.0.8') ? silence() : yes(),
  )
  await clock.advance(timings.contact - 1)
  expect([contacted(), since(), lines]).toEqual([['db'], undefined, []])
  await clock.advance(restMs)
  expect(contacted()).toEqual(['db', 'gone'])
  expect(since()).toBeDefined()
  expect(lines).toEqual(['warning: no answer within 0.3 s, so that connections to these may hang: 100.64.0.8'])
})

it('a service that has counted still counts when its target moves', async () => {
  const { contacted, plan, clock } = contact({ db: '100.64.0.9' }, (ping) =>
    ping.startsWith('100.64.0.8') ? silence() : yes(),
  )
  await clock.advance(restMs)
  expect(contacted()).toEqual(['db'])
  plan({ db: '100.64.0.8' })
  for (let ms = 0; ms < 2 * timings.contact; ms += 10) {
    await clock.advance(10)
    expect(contacted()).toEqual(['db'])
  }
  plan({})
  await clock.advance(restMs)
  expect(contacted()).toEqual([])
})

it('nothing is waited for when tailscaled cannot ping', async () => {
  const { contacted, lines, clock } = contact({ db: '100.64.0.9' }, async () => 'what?')
  await clock.advance(restMs)
  expect(contacted()).toEqual(['db'])
  expect(lines).toEqual([expect.stringContaining('cannot find out whether 100.64.0.9 answers: LocalAPI ping failed')])
})
