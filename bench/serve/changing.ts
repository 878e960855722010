import { setTimeout as delay } from 'node:timers/promises'
import { alternate } from '../alternate.ts'
import { type Side, sides } from '../pair.ts'
import type { Section } from '../section.ts'
import { median } from '../stats.ts'
import type { ServeBed, Site } from './site.ts'
import { now, Watch } from './watch.ts'

export type ChangingSize = { readonly repeats: number; readonly times: number }

/** Changes the mounted file of each side's site, `times` one after the other. */
export async function measureChanging(
  bed: ServeBed,
  sites: Readonly<Record<Side, Site>>,
  { repeats, times }: ChangingSize,
  note: (detail: string) => void,
): Promise<Section> {
  const took = await alternate(sides, repeats, async (side, repeat) => {
    note(`${side}, ${repeat + 1} of ${repeats}`)
    await using watch = await Watch.start(bed, sites[side])
    watch.begin()
    const each: number[] = []
    for (let n = 0; n < times; n += 1) {
      // So that effects of the previous change are not measured with this one.
      await delay(300)
      const text = `${side} ${repeat} ${n}`
      const begun = now()
      await sites[side].say(text)
      each.push((await watch.seen(text)) - begun)
    }
    return median(each)
  })
  return {
    title: 'A change of the serve config',
    against: 'upstream',
    rows: [
      {
        what: 'file mounted until the client sees it',
        unit: 'ms',
        better: 'less',
        ours: took.ours,
        other: took.upstream,
      },
    ],
    note:
      `Another text at one path of the site, mounted as kubelet mounts it; medians of ${times} changes, 300 ms apart. ` +
      'The client sends a request 2 ms after each answer, over one connection. Ours waits until the mounted directory has ' +
      'not changed for 50 ms, and reads what tailscaled serves before and after it writes.',
  }
}
