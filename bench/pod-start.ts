import { alternate } from './alternate.ts'
import { type Side, sides } from './pair.ts'
import { type PodSetup, PodProxy } from './pod.ts'
import type { Section } from './section.ts'

/** Starts both sides' Pods `repeats` times, each anew and once more with its state, and once to begin with, not counted. */
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
      row('Pod deleted and back: start-up complete', ({ again }) => again.complete),
      row('… ready', ({ again }) => again.ready),
    ],
    note:
      'Since the scheduler gave the Pod to its node, where both images are: sandbox, an init container that turns ' +
      'forwarding on, and the agent, whose config and state are in a Secret. Start-up is complete at the time that the ' +
      'node’s container engine gave to the line `Startup complete, waiting for shutdown signal`. Ready is kubelet’s ' +
      'condition, by a probe each second: of `/readyz` for ours, which is true once rules have been read back, and for ' +
      'upstream’s, which has none, of `/healthz`, which is true once it has an address. The client sends a datagram ' +
      'when the Pod is ready, and the next when that is not answered.',
  }
}
