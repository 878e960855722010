import type { Progress } from '../../test/lab/progress.ts'
import type { Contestant } from '../contestant.ts'
import { inBed } from '../in-bed.ts'
import { directPath, type Side, sides } from '../pair.ts'
import type { Section } from '../section.ts'
import type { Size } from '../size.ts'
import { measureChanging } from './changing.ts'
import { measureRequests } from './requests.ts'
import { type ServeBed, Site, startServeBed } from './site.ts'
import { measureStarting } from './starting.ts'
import { Watch } from './watch.ts'

/** The number of progress steps of `measureServe`. */
export const serveSteps = 5

/** L7 ingress: an HTTPS site that the same tailscaled serves under either agent, as a client sees it. */
export async function measureServe(
  all: Readonly<Record<Side, Contestant>>,
  size: Size['serve'],
  steps: Progress,
): Promise<Section[]> {
  return await inBed(steps.step('start a tailnet and an authority', startServeBed), async (bed) => {
    const starting = await steps.step('start of sites', (note) => measureStarting(bed, all, size.starts, note))
    await using ours = await Site.make(bed, 'ours', all.ours, 'first')
    await using upstream = await Site.make(bed, 'upstream', all.upstream, 'first')
    const sites = { ours, upstream }
    await steps.step('start both sites', async () => {
      for (const side of sides) await reach(bed, sites[side])
    })
    return [
      await steps.step('HTTPS requests', (note) => measureRequests(bed, sites, size.requests, note)),
      starting,
      await steps.step('changes of serve configs', (note) => measureChanging(bed, sites, size.changing, note)),
    ]
  })
}

/** Starts it, until it has its certificate and the client a direct path to it. */
async function reach(bed: ServeBed, site: Site): Promise<void> {
  await using watch = await Watch.start(bed, site)
  await site.start()
  watch.begin()
  await watch.seen('first')
  await directPath(bed.host('client'), await site.address())
}
