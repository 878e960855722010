import { afterEach, expect, it } from 'vitest'
import { forwardingName, planForwarding } from '../../../agent/forwarding/reconciler.ts'
import { contactTargets } from '../../../agent/forwarding/contact.ts'
import { shortWaits } from '../../../agent/world/timings.ts'
import { createStore, type World } from '../../../agent/world/world.ts'
import { LocalApiError } from '../../../localapi/error.ts'
import { parseEgressServices } from '../../../wire/egress-services.ts'
import { aWorld } from '../a-world.ts'
import { aPeer, peersOf } from '../targets/peers.ts'

const env = {
  TS_USERSPACE: 'false',
  KUBERNETES_SERVICE_HOST: '10.96.0.1',
  TS_EGRESS_PROXIES_CONFIG_PATH: '/etc/proxies',
}
const waits = { ...shortWaits, contact: 300, contactPing: 20 }

/** The World when these services, by name with their target, are what the rules were last planned from. */
function planned(targets: Readonly<Record<string, string>>): World {
  const entries = Object.entries(targets).map(([name, ip], index) => {
    const ports = [{ protocol: 'TCP', matchPort: 10_000 + index, targetPort: 80 }]
    return [name, { tailnetTarget: { ip, fqdn: '' }, ports }]
  })
  const content = parseEgressServices(Buffer.from(JSON.stringify(Object.fromEntries(entries))))
  const peers = peersOf(...['100.64.0.8', '100.64.0.9'].map((text) => aPeer(`n${text}.`, [text])))
  const { contactedAt: _later, ...world } = aWorld({ egressServices: { content } }, env)
  const known = { ...world, tailnet: { ...world.tailnet, peers } }
  return { ...known, facets: { [forwardingName]: { desired: planForwarding(known), repairs: 0, failures: 0 } } }
}

const endings: (() => void)[] = []
afterEach(() => endings.splice(0).forEach((end) => end()))

/** Contacts the targets of these services; `answer` says what becomes of each ping, `address kind`. */
function contact(targets: Readonly<Record<string, string>>, answer: (ping: string) => Promise<string>) {
  const [asked, lines]: [string[], string[]] = [[], []]
  const ended = new AbortController()
  endings.push(() => ended.abort())
  const unused = (): never => {
    throw new Error('not asked')
  }
  const post = (path: string): Promise<string> => {
    const query = new URLSearchParams(path.split('?')[1])
    const ping = `${query.get('ip')} ${query.get('type')}`
    asked.push(ping)
    return answer(ping)
  }
  const store = createStore(aWorld({}, env))
  const api = { get: unused, post, patch: unused, stream: unused }
  contactTargets({ store, api, log: (line) => lines.push(line), waits }, ended.signal)
  const plan = (next: Readonly<Record<string, string>>): void => {
    const { facets, contactedAt: _later, ...world } = planned(next)
    store.update((now) => ({ ...world, facets, ...(now.contacted && { contacted: now.contacted }) }))
  }
  plan(targets)
  return { asked, lines, plan, contacted: () => [...(store.world.contacted ?? [])].sort(), store }
}

const yes = async (): Promise<string> => '{}'
const silence = async (): Promise<never> => {
  throw new LocalApiError('ping failed', Object.assign(new Error('late'), { code: 'ETIMEDOUT' }))
}

it('a service counts once its target has answered, by any path and then through the tunnel', async () => {
  let open = false
  const { asked, contacted, store } = contact({ db: '100.64.0.9' }, (ping) =>
    ping.endsWith('TSMP') && !open ? silence() : yes(),
  )
  await expect.poll(() => asked.length).toBeGreaterThan(2)
  expect(asked.slice(0, 3)).toEqual(['100.64.0.9 disco', '100.64.0.9 TSMP', '100.64.0.9 TSMP'])
  expect([contacted(), store.world.contactedAt]).toEqual([[], undefined])
  open = true
  await expect.poll(() => store.world.contactedAt).toBeDefined()
  expect(contacted()).toEqual(['db'])
})

it('one that does not answer is waited for in vain for a while, and holds up no other', async () => {
  const { contacted, lines, store } = contact({ db: '100.64.0.9', gone: '100.64.0.8' }, (ping) =>
    ping.startsWith('100.64.0.8') ? silence() : yes(),
  )
  await expect.poll(contacted).toEqual(['db'])
  expect(store.world.contactedAt).toBeUndefined()
  await expect.poll(contacted).toEqual(['db', 'gone'])
  expect(lines).toEqual(['warning: no answer within 0.3 s, so that connections to these may hang: 100.64.0.8'])
})

it('a service that has counted goes on to do so when its target moves', async () => {
  const { contacted, plan } = contact({ db: '100.64.0.9' }, (ping) =>
    ping.startsWith('100.64.0.8') ? silence() : yes(),
  )
  await expect.poll(contacted).toEqual(['db'])
  plan({ db: '100.64.0.8' })
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(contacted()).toEqual(['db'])
  plan({})
  await expect.poll(contacted).toEqual([])
})

it('where tailscaled cannot be asked, nothing is waited for', async () => {
  const { contacted, lines } = contact({ db: '100.64.0.9' }, async () => 'what?')
  await expect.poll(contacted).toEqual(['db'])
  expect(lines).toEqual([expect.stringContaining('whether 100.64.0.9 answers cannot be told: LocalAPI ping failed')])
})
