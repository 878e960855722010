import type { Progress } from '../../test/lab/progress.ts'
import { alternate } from '../alternate.ts'
import type { Images } from '../image.ts'
import { inBed } from '../in-bed.ts'
import { type Side, sides } from '../pair.ts'
import type { Row, Section } from '../section.ts'
import { layPodSites, PodSite, startPodSiteBed } from './pod-site.ts'

/** Steps of progress that `measurePodStarting` takes. */
export const podStartingSteps = 3

/** Starts both sides' Pods `repeats` times, each anew and once more with its state, and once to begin with, not counted. */
export async function measurePodStarting(images: Images, repeats: number, steps: Progress): Promise<Section> {
  return await inBed(steps.step('start a tailnet, an authority and a cluster', startPodSiteBed), async (bed) => {
    await steps.step('import the images', () => layPodSites(bed, images))
    const took = await steps.step('Pod start to HTTPS', async (note) => {
      const once = async (side: Side, repeat: number): Promise<{ issued: number; there: number }> => {
        note(`${side}, ${repeat} of ${repeats}`)
        await using site = await PodSite.start(bed, images, side)
        return { issued: site.answered, there: await site.restart() }
      }
      for (const side of sides) await once(side, 0)
      return await alternate(sides, repeats, (side, repeat) => once(side, repeat + 1))
    })
    const row = (what: string, kind: 'issued' | 'there'): Row => ({
      what,
      unit: 'ms',
      better: 'less',
      ours: took.ours.map((one) => one[kind]),
      other: took.upstream.map((one) => one[kind]),
    })
    return {
      title: 'Pod start to the first HTTPS answer',
      against: 'upstream',
      rows: [
        row('a new node, certificate issued', 'issued'),
        row('Pod deleted and back, certificate in the Secret', 'there'),
      ],
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
