import type { Contestant } from '../contestant.ts'
import type { Side } from '../pair.ts'
import type { Section } from '../section.ts'
import { type Client, type ServeBed, Site } from './site.ts'
import { startRows, type Starts } from './start-rows.ts'
import { now, Watch } from './watch.ts'

const text = 'a text'

/** Starts both sides' sites, each anew and once more with its state. */
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
    // The first client would go on with a session of WireGuard that this node has lost.
    return { issued, there: await untilSeen(bed, site, 'other') }
  }
  const titles = { issued: 'a new node, certificate issued', there: 'the same once more, certificate on disk' }
  return {
    title: 'Start to the first HTTPS answer',
    against: 'upstream',
    rows: await startRows(start, repeats, titles, note),
    note:
      'From the start of the process, without Kubernetes. A client asks by the site’s name, again and again from when ' +
      'tailscaled says that it runs in the tailnet. tailscaled asks an authority in the bed for the certificate at the ' +
      'first connection, and looks again after a second when it is not issued at once; WireGuard sends a first packet ' +
      'that was lost again after five: so the spread is wide. The second start is asked by another client.',
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
