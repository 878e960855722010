import type { Progress } from '../../test/lab/progress.ts'
import type { Images } from '../image.ts'
import { inBed } from '../in-bed.ts'
import type { Side } from '../pair.ts'
import type { Section } from '../section.ts'
import { layPodSites, PodSite, startPodSiteBed } from './pod-site.ts'
import { startRows, type Starts } from './start-rows.ts'

/** Steps of progress that `measurePodStarting` takes. */
export const podStartingSteps = 3

/** Starts both sides' Pods, each anew and once more with its state. */
export async function measurePodStarting(images: Images, repeats: number, steps: Progress): Promise<Section> {
  return await inBed(steps.step('start a tailnet, an authority and a cluster', startPodSiteBed), async (bed) => {
    await steps.step('import the images', () => layPodSites(bed, images))
    const start = async (side: Side): Promise<Starts> => {
      await using site = await PodSite.start(bed, images, side)
      return { issued: site.answered, there: await site.restart() }
    }
    const titles = {
      issued: 'a new node, certificate issued',
      there: 'Pod deleted and back, certificate in the Secret',
    }
    return {
      title: 'Pod start to the first HTTPS answer',
      against: 'upstream',
      rows: await steps.step('Pod start to HTTPS', (note) => startRows(start, repeats, titles, note)),
      note:
        'Since the scheduler gave the Pod to its node, where both images are, until a client had the page of a backend in ' +
        'the cluster, by the site’s name and with the authority’s root: an Ingress’s proxy as an operator makes it, config ' +
        'and state in a Secret, `${TS_CERT_DOMAIN}` in its serve config. It asks again and again from when tailscaled ' +
        'says that it is connected to its relay; what makes the spread wide, and why another client asks the second time, ' +
        'is as without Kubernetes. The Pod that comes back orders no certificate. Sandbox and container count for both: ' +
        'how the agents themselves differ shows without Kubernetes.',
    }
  })
}
