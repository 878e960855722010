import { atMost, keepTaking } from '../../certs/keep.ts'
import { kubeClient } from '../../kube/client.ts'
import type { Log } from '../../lib/log.ts'
import type { LocalApi } from '../../localapi/client.ts'
import type { Waits } from '../world/timings.ts'
import type { Store } from '../world/world.ts'
import { podEvents } from './events.ts'
import { readMemory } from './memory.ts'
import { obstacle, sharedDomains } from './obstacle.ts'
import { setReport, stepFor } from './step.ts'

type Parts = { readonly store: Store; readonly api: LocalApi; readonly log: Log; readonly waits: Waits }

/** So many names are looked at at a time: a group may have hundreds. */
const looksAtOnce = 8

/**
 * Sees to the certificates that a group shares, until `signal` aborts: has them issued where this Pod is to do that, one
 * after the other, looks whether they are where they should be, and keeps in World.certificates what is known of each
 * name that is served. `secret` is the state Secret.
 */
export async function keepCertificates(
  { store, api, log, waits }: Parts,
  secret: string,
  signal: AbortSignal,
): Promise<void> {
  const { settings } = store.world
  const kube = kubeClient(settings.cluster)
  if (settings.certShare === 'rw') {
    const certificateMemory = await readMemory({ kube, secret, log, waits }, signal)
    if (signal.aborted) return
    if (certificateMemory !== undefined) store.update((world) => ({ ...world, certificateMemory }))
  }
  const events = podEvents(kube, settings, signal)
  const common = { store, api, kube, log, waits, events, inPart: atMost(looksAtOnce), inTurn: atMost(1) }

  const running = new Map<string, AbortController>()
  const begin = (domain: string): void => {
    const work = new AbortController()
    running.set(domain, work)
    const end = AbortSignal.any([signal, work.signal])
    const change = async (until: AbortSignal): Promise<void> => {
      const before = obstacle(store.world, domain)?.reason
      await store.until((world) => obstacle(world, domain)?.reason !== before, until)
    }
    void keepTaking(stepFor(domain, common, end), change, end)
  }
  let followed: readonly string[] | undefined
  const follow = (): void => {
    const wanted = sharedDomains(store.world)
    if (wanted === followed) return
    followed = wanted
    for (const [domain, work] of running) {
      if (wanted.includes(domain)) continue
      work.abort()
      running.delete(domain)
      setReport(store, domain, undefined)
    }
    for (const domain of wanted) if (!running.has(domain)) begin(domain)
  }
  store.watch(follow, signal)
  follow()
}
