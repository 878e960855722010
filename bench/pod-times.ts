import { readFile } from 'node:fs/promises'
import { isIPv4 } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { ask, type Bed } from '../test/lab/bed.ts'
import { proxyNamespace } from '../test/lab/cluster/proxy.ts'
import { poll } from '../test/lab/poll.ts'
import type { BenchBed } from './bench-bed.ts'

/** A bed with a cluster and any hosts. */
export type PodBed = Pick<Bed, 'cluster'>

const inNamespace = `--namespace=${proxyNamespace}`

/** Waits until the Pod of this name exists and is Ready; returns the time. */
export async function untilReady({ cluster }: PodBed, pod: string): Promise<number> {
  await cluster.kubectl(['wait', '--for=create', `pod/${pod}`, inNamespace, '--timeout=30s'])
  await cluster.wait(`pod/${pod}`, 'Ready', { namespace: proxyNamespace })
  return Date.now()
}

/** Lets the client send requests until the backend answers through the Pod; returns the time. */
export async function untilAnswered(bed: BenchBed, pod: string): Promise<number> {
  const { addresses } = await bed.control.node(pod)
  const to = addresses.find((address) => isIPv4(address)) ?? ''
  for (let attempt = 1; ; attempt += 1) {
    try {
      await ask(bed.host('client'), { to, protocol: 'udp', patience: 300 })
      return Date.now()
    } catch (error) {
      if (attempt === 40) throw error
      await delay(50)
    }
  }
}

/**
 * Waits until the Pod of this name exists and its tailscaled is connected to its relay: what is sent before may be
 * lost.
 */
export async function untilReachable({ cluster }: PodBed, pod: string): Promise<void> {
  await cluster.kubectl(['wait', '--for=create', `pod/${pod}`, inNamespace, '--timeout=30s'])
  const uid = String((await cluster.get('pod', pod, proxyNamespace))?.metadata['uid'])
  const log = cluster.node().path(`/var/log/pods/${proxyNamespace}_${pod}_${uid}/tailscale/0.log`)
  await poll(`the relay of ${pod}`, async () => {
    // There is no log before the container runs.
    const text = await readFile(log, 'utf8').catch(() => '')
    return /magicsock: derp-\d+ connected/.test(text) || undefined
  })
}

/** When the scheduler assigned the Pod to its node, by its condition. */
export async function scheduledAt({ cluster }: PodBed, pod: string): Promise<number> {
  const uid = String((await cluster.get('pod', pod, proxyNamespace))?.metadata['uid'])
  const about = `--field-selector=involvedObject.uid=${uid},reason=Scheduled`
  const time = await poll(`the scheduler's word of ${pod}`, async () => {
    const { stdout } = await cluster.kubectl(['get', 'events', inNamespace, about, '--output=json'])
    return (JSON.parse(stdout) as { items: { eventTime: string }[] }).items[0]?.eventTime
  })
  return Date.parse(time)
}

/** When the agent logged that start-up is complete, by the container engine's clock. */
export async function completeAt({ cluster }: PodBed, pod: string): Promise<number> {
  const time = await poll(`the end of the start-up of ${pod}`, async () => {
    const { stdout } = await cluster.kubectl(['logs', pod, inNamespace, '--timestamps'])
    return /^(\S+) .*Startup complete, waiting for shutdown signal$/m.exec(stdout)?.[1]
  })
  return Date.parse(time)
}
