import { keepTaking } from '../../certs/keep.ts'
import { kubeClient } from '../../kube/client.ts'
import { limited } from '../../lib/limit.ts'
import type { Context } from '../world/context.ts'
import { podEvents } from '../world/pod-events.ts'
import { readMemory } from './memory.ts'
import { blocker, keptDomains } from './blocker.ts'
import { stepFor } from './step.ts'
import { writeReport } from './write-report.ts'

/** Names that are inspected at the same time: a group may have hundreds. */
const looksAtOnce = 8

/**
 * Manages the certificates that a group shares, or that of the node's own name, until the agent stops: requests them one
 * after the other unless this Pod is a reader, checks that they are in their Secrets, and keeps the state of each served
 * name in World.certificates.
 * `secret` is the state Secret.
 */
export async function keepCertificates(context: Context, secret: string): Promise<void> {
  const { store, log, timings, clock, signal, background } = context
  const { settings } = store.world
  const write = store.writer('certificates')
  const kube = kubeClient(settings.cluster)
  if (settings.certShare !== 'ro') {
    const memory = await readMemory({ kube, secret, log, timings, clock }, signal)
    if (signal.aborted) return
    if (memory !== undefined) write((now) => ({ ...now, memory }))
  }
  const events = podEvents(kube, settings, signal)
  const at = settings.certShare === undefined ? { ownIn: secret } : undefined
  const common = { ...context, write, kube, events, at, inPart: limited(looksAtOnce), serially: limited(1) }

  const running = new Map<string, AbortController>()
  const begin = (domain: string): void => {
    const work = new AbortController()
    running.set(domain, work)
    const end = AbortSignal.any([signal, work.signal])
    const change = async (until: AbortSignal): Promise<void> => {
      const before = blocker(store.world, domain)?.reason
      await store.until((world) => blocker(world, domain)?.reason !== before, until)
    }
    background(`the certificate of ${domain}`, () => keepTaking(stepFor(domain, common, end), change, end))
  }
  let followed: readonly string[] | undefined
  const follow = (): void => {
    const wanted = keptDomains(store.world)
    if (wanted === followed) return
    followed = wanted
    for (const [domain, work] of running) {
      if (wanted.includes(domain)) continue
      work.abort()
      running.delete(domain)
      writeReport(write, domain, undefined)
    }
    for (const domain of wanted) if (!running.has(domain)) begin(domain)
  }
  store.watch(follow, signal)
  follow()
}
