import { alternate } from './alternate.ts'
import { type Side, sides } from './pair.ts'
import { type PodSetup, PodProxy } from './pod.ts'
import type { Section } from './section.ts'

/**
 * Starts both sides' Pods `repeats` times, each as a new node and again with its state, plus one start that is not
 * counted.
 */
export async function measurePodStart(
  setup: PodSetup,
  repeats: number,
  note: (detail: string) => void,
): Promise<Section> {
  const once = async (side: Side, repeat: number) => {
    note(`${side}, ${repeat} of ${repeats}`)
    await using proxy = await PodProxy.start(setup, side)
    return { first: proxy.started, again: await proxy.restart() }
  }
  for (const side of sides) await once(side, 0)
  const took = await alternate(sides, repeats, (side, repeat) => once(side, repeat + 1))
  const row = (what: string, pick: (one: (typeof took)['ours'][number]) => number) =>
    ({ what, unit: 'ms', better: 'less', ours: took.ours.map(pick), other: took.upstream.map(pick) }) as const
  return {
    title: 'Pod start',
    against: 'upstream',
    rows: [
      row('a new node: start-up complete', ({ first }) => first.complete),
      row('… ready', ({ first }) => first.ready),
      row('… first answer to the client', ({ first }) => first.answered),
      row('Pod deleted and recreated: start-up complete', ({ again }) => again.complete),
      row('… ready', ({ again }) => again.ready),
    ],
    note:
      'From the time when the scheduler assigned the Pod to its node, which has both images: sandbox, an init container ' +
      'that turns forwarding on, and the agent, whose config and state are in a Secret. Start-up is complete at the time ' +
      'that the container engine recorded for the line `Startup complete, waiting for shutdown signal`. Ready is kubelet’s ' +
      'condition, with a probe each second: of `/readyz` for ours, which succeeds once rules have been read back, and of ' +
      '`/healthz` for upstream’s, which has no `/readyz`; it succeeds once the node has an address. The client sends a ' +
      'datagram when the Pod is ready, and another one when that is not answered.',
  }
}
