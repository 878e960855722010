import type { Progress } from '../../test/lab/progress.ts'
import type { Images } from '../image.ts'
import { inBed } from '../in-bed.ts'
import type { Side } from '../pair.ts'
import type { Section } from '../section.ts'
import { layPodSites, PodSite, startPodSiteBed } from './pod-site.ts'
import { startRows, type Starts } from './start-rows.ts'

/** The number of progress steps of `measurePodStarting`. */
export const podStartingSteps = 3

/** Starts both sides' Pods, each as a new node and again with its state. */
export async function measurePodStarting(images: Images, repeats: number, steps: Progress): Promise<Section> {
  return await inBed(steps.step('start a tailnet, an authority and a cluster', startPodSiteBed), async (bed) => {
    await steps.step('import the images', () => layPodSites(bed, images))
    const start = async (side: Side): Promise<Starts> => {
      await using site = await PodSite.start(bed, images, side)
      return { issued: site.answered, there: await site.restart() }
    }
    const titles = {
      issued: 'a new node, certificate issued',
      there: 'Pod deleted and recreated, certificate in the Secret',
    }
    return {
      title: 'Pod start to the first HTTPS answer',
      against: 'upstream',
      rows: await steps.step('Pod start to HTTPS', (note) => startRows(start, repeats, titles, note)),
      note:
        'From the time when the scheduler assigned the Pod to its node, which has both images, until a client had the page of ' +
        'a backend in the cluster, by the site’s name and verified with the authority’s root: the proxy of an Ingress as an ' +
        'operator makes it, with config and state in a Secret and `${TS_CERT_DOMAIN}` in its serve config. The client sends ' +
        'requests from the time when tailscaled is connected to its relay; the reasons for the wide spread, and for another ' +
        'client the second time, are those given without Kubernetes. The recreated Pod orders no certificate. Sandbox and ' +
        'container count for both: the difference between the agents is better seen without Kubernetes.',
    }
  })
}
