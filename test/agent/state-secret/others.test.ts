import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { stateSecretKey, stateSecretReconciler } from '../../../agent/state-secret/reconciler.ts'
import type { RunningReconciler } from '../../../agent/world/reconciler.ts'
import { reportOf } from '../../../agent/world/reports.ts'
import { timings } from '../../../agent/world/timings.ts'
import type { KubeClient } from '../../../kube/client.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'
import { aContext } from '../a-context.ts'
import { aWorld, self } from '../a-world.ts'

const minute = 60_000
type Change = ReadonlyMap<string, string | null>

/** The content of the Secret, and listeners that are called at once after each change. */
let data: Map<string, Buffer>
let watchers: (() => void)[]
/** Every patch of an agent, by the UID of its Pod. */
let patches: { readonly by: string; readonly at: number; readonly keys: readonly string[] }[]
/** Whether the API refuses patches. */
let refuses: boolean
let clock: VirtualClock
let agents: Agent[]

function change(texts: Change): void {
  for (const [key, text] of texts) {
    if (text === null) data.delete(key)
    else data.set(key, Buffer.from(text))
  }
  for (const watcher of watchers) watcher()
}

/** Changes the Secret as another client would, and lets all agents react. */
async function edit(texts: Readonly<Record<string, string | null>>): Promise<void> {
  change(new Map(Object.entries(texts)))
  await clock.settle()
}

const uid = (): string | undefined => data.get('pod_uid')?.toString()

/** The reconciler of the Secret, in the Pod with this UID; it takes the Secret over, as at each start. */
class Agent {
  readonly #running: RunningReconciler
  readonly #made: ReturnType<typeof aContext>

  constructor(by: string) {
    const env = { TS_USERSPACE: 'true', KUBERNETES_SERVICE_HOST: '10.96.0.1', TS_KUBE_SECRET: 's', POD_UID: by }
    const stateSecret = { name: 's', access: { patch: true, create: false } }
    this.#made = aContext(aWorld({ stateSecret, reports: {} }, env), { clock, timings })
    const secret = () => ({ name: 's', resourceVersion: '', data: new Map(data), undecodable: [] })
    const kube: Partial<KubeClient> = {
      getSecret: async () => secret(),
      patchSecret: async (_name, texts) => {
        if (refuses) throw new Error('it is full')
        patches.push({ by, at: clock.now(), keys: [...texts.keys()] })
        change(texts)
        return secret()
      },
    }
    change(new Map([['pod_uid', by]]))
    this.#running = this.#made.context.run(stateSecretReconciler(kube as KubeClient, 's', this.#made.context))
    watchers.push(this.#running.recheck)
  }

  /** The node gets another ID. */
  async become(id: string): Promise<void> {
    const { store } = this.#made
    store.update((world) => ({ ...world, tailnet: { ...world.tailnet, self: { ...self, id } } }))
    await clock.settle()
  }

  get error(): string | undefined {
    return reportOf(this.#made.store.world, stateSecretKey)?.error
  }

  get lines(): readonly string[] {
    return this.#made.lines
  }

  async end(): Promise<void> {
    watchers = watchers.filter((one) => one !== this.#running.recheck)
    this.#made.stop.abort()
    await this.#running.finished
  }
}

async function start(by: string): Promise<Agent> {
  const agent = new Agent(by)
  agents.push(agent)
  await clock.settle()
  return agent
}

beforeEach(() => {
  data = new Map()
  watchers = []
  patches = []
  refuses = false
  agents = []
  clock = new VirtualClock()
})
afterEach(async () => {
  for (const agent of agents) await agent.end()
  expect(clock.pending).toBe(0)
})

describe('another Pod with the same Secret', () => {
  it('takes it at once if it is the newer one, and is named', async () => {
    const old = await start('old')
    const before = patches.length
    const next = await start('new')
    await clock.advance(minute)
    expect(uid()).toBe('new')
    expect(patches.slice(before)).toEqual([])
    expect(old.error).toMatch(/the Pod with UID new uses the state Secret "s", too.*TS_KUBE_SECRET/)
    expect(old.lines.filter((line) => line.includes('UID new'))).toHaveLength(1)
    expect(next.error).toBeUndefined()
  })

  it.each([2, 10])('is overwritten only a few times an hour (%i Pods)', async (count) => {
    for (let n = 0; n < count; n += 1) await start(`pod-${n}`)
    const before = patches.length
    await clock.advance(60 * minute)
    expect(patches.length - before).toBeLessThan(60)
    for (const agent of agents) {
      expect(agent.error).toMatch(/the Pod with UID pod-\d uses the state Secret "s", too/)
      expect(agent.lines.filter((line) => line.includes('good again') || line.includes('in place again'))).toEqual([])
    }
  })

  it('loses it to this one once it has ended', async () => {
    const old = await start('old')
    const next = await start('new')
    await edit({ device_id: 'of the new one' })
    await next.end()
    await clock.advance(10 * minute)
    expect(uid()).toBe('old')
    expect(data.get('device_id')?.toString()).toBe('n1')
    await clock.advance(15 * minute)
    expect(old.error).toBeUndefined()
    expect(old.lines.at(-1)).toMatch(/in place again/)
  })

  it('with a hostile UID is reported with little of it', async () => {
    const agent = await start('own')
    await edit({ pod_uid: `\u{1B}[2J\n${'x'.repeat(100_000)}` })
    expect(agent.error).toMatch(/^the Pod with UID \\u001b\[2J\\u000ax{59} uses/)
  })

  it('is ignored if the own UID is unknown', async () => {
    const agent = await start('')
    await edit({ pod_uid: 'other' })
    expect(agent.error).toBeUndefined()
    expect(uid()).toBe('other')
  })
})

describe('keys that others change', () => {
  const keys = ['device_id', 'device_fqdn', 'device_ips', 'tailscale_capver', 'pod_uid']

  it.each(keys)('%s is repaired at once if it is deleted once', async (key) => {
    const agent = await start('a')
    await edit({ [key]: null })
    expect(data.has(key)).toBe(true)
    expect(agent.error).toBeUndefined()
    await clock.advance(2 * minute)
    await edit({ [key]: null })
    expect(data.has(key)).toBe(true)
    expect(agent.error).toBeUndefined()
  })

  const ways: [string, (key: string) => string | null][] = [
    ['deletes', () => null],
    ['rewrites', (key) => (key === 'pod_uid' ? '' : 'theirs')],
  ]
  describe.each(ways)('a controller that %s', (_name, way) => {
    it.each(keys)('%s every time is repaired with growing pauses, and the key is named', async (key) => {
      const agent = await start('a')
      watchers.push(() => {
        // Asynchronously, like another client.
        queueMicrotask(() => {
          if (data.get(key)?.toString() !== (way(key) ?? undefined)) change(new Map([[key, way(key)]]))
        })
      })
      await edit({ [key]: way(key) })
      const before = patches.length
      await clock.advance(60 * minute)
      const later = patches.slice(before)
      expect(later.length).toBeGreaterThan(60)
      expect(later.length).toBeLessThan(200)
      expect(agent.error).toMatch(new RegExp(`${key} of Secret "s" .* changed`))
      expect(agent.lines.length).toBeLessThan(10)

      watchers.pop()
      await clock.advance(5 * minute)
      expect(data.get(key)?.toString()).not.toBe(way(key))
      expect(agent.error).toBeUndefined()
    })
  })

  it('repeated changes are also repaired with pauses if each repair succeeds', async () => {
    await start('a')
    for (let second = 0; second < 3600; second += 1) {
      await clock.advance(1000)
      await edit({ device_id: null })
    }
    expect(patches.length).toBeLessThan(200)
  })

  it('a change that could not be repaired for a long time counts once', async () => {
    const agent = await start('a')
    refuses = true
    await edit({ device_id: null })
    await clock.advance(minute)
    expect(agent.error).toMatch(/it is full/)
    refuses = false
    await clock.advance(minute)
    expect(data.has('device_id')).toBe(true)
    expect(agent.error).toBeUndefined()
  })

  it('a new desired value is written at once', async () => {
    const agent = await start('a')
    await edit({ device_id: null })
    await edit({ device_id: null })
    expect(agent.error).toBeDefined()
    await agent.become('n2')
    expect(data.get('device_id')?.toString()).toBe('n2')
  })
})
