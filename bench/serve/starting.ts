import type { Contestant } from '../contestant.ts'
import type { Side } from '../pair.ts'
import type { Section } from '../section.ts'
import { type Client, type ServeBed, Site } from './site.ts'
import { startRows, type Starts } from './start-rows.ts'
import { now, Watch } from './watch.ts'

const text = 'a text'

/** Starts both sides' sites, each as a new node and again with its state. */
export async function measureStarting(
  bed: ServeBed,
  all: Readonly<Record<Side, Contestant>>,
  repeats: number,
  note: (detail: string) => void,
): Promise<Section> {
  const start = async (side: Side): Promise<Starts> => {
    await using site = await Site.make(bed, side, all[side], text)
    const issued = await untilSeen(bed, site, 'client')
    await site.stop()
    // The first client would continue a session of WireGuard that this node has lost.
    return { issued, there: await untilSeen(bed, site, 'other') }
  }
  const titles = { issued: 'a new node, certificate issued', there: 'the same node again, certificate on disk' }
  return {
    title: 'Start to the first HTTPS answer',
    against: 'upstream',
    rows: await startRows(start, repeats, titles, note),
    note:
      'From the start of the process, without Kubernetes. A client requests the site by its name, repeatedly from the time ' +
      'when tailscaled runs in the tailnet. tailscaled requests the certificate from an authority in the bed at the first ' +
      'connection, and polls after a second when it is not issued at once; WireGuard repeats a lost first packet after ' +
      'five seconds: hence the wide spread. Another client is used for the second start.',
  }
}

/** Milliseconds from the start of the process until a client has seen the text. */
async function untilSeen(bed: ServeBed, site: Site, client: Client): Promise<number> {
  await using watch = await Watch.start(bed, site, client)
  const begun = now()
  await site.start()
  watch.begin()
  return (await watch.seen(text)) - begun
}
