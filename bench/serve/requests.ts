import { alternate } from '../alternate.ts'
import { program } from '../backend.ts'
import { type Side, sides } from '../pair.ts'
import type { Row, Section } from '../section.ts'
import { median, quantile } from '../stats.ts'
import { pageBytes, type ServeBed, type Site } from './site.ts'

export type RequestsSize = { readonly repeats: number; readonly seconds: number }

/** The output of programs/https-load.ts. */
export type Load = {
  /** Milliseconds each. */
  readonly times: readonly number[]
  readonly failed: number
  readonly elapsed: number
  readonly processor: number
}

/** The number of requests at a time. */
const crowd = 8

const ways = [
  { what: 'kept connections', kept: true },
  { what: 'a new connection each', kept: false },
] as const

/** As many requests through each side as possible in `seconds`, over persistent connections and over new ones. */
export async function measureRequests(
  bed: ServeBed,
  sites: Readonly<Record<Side, Site>>,
  { repeats, seconds }: RequestsSize,
  note: (detail: string) => void,
): Promise<Section> {
  const rows: Row[] = []
  const processor: number[] = []
  for (const { what, kept } of ways) {
    const took = await alternate(sides, repeats, async (side, repeat): Promise<Load> => {
      note(`${what}, ${side}, ${repeat + 1} of ${repeats}`)
      const { name } = sites[side]
      const settings = JSON.stringify({ to: await sites[side].address(), name, crowd, seconds, kept })
      const { stdout } = await bed.host('client').exec([process.execPath, program('https-load.ts'), settings], {
        env: { NODE_EXTRA_CA_CERTS: '/etc/lab-ca.pem' },
        timeout: (seconds + 10) * 1000,
      })
      return JSON.parse(stdout) as Load
    })
    rows.push(...loadRows(what, took))
    processor.push(...sides.flatMap((side) => took[side].map((one) => one.processor)))
  }
  return {
    title: 'HTTPS requests',
    against: 'upstream',
    rows,
    note:
      `L7 ingress: a site that tailscaled serves from a backend, pages of ${pageBytes} bytes, ${crowd} requests at a time, ` +
      `for ${seconds} s, the first tenth not counted; client → tailscaled → backend, with a direct tunnel over IPv4. New ` +
      'connections do not resume TLS sessions. Neither agent is in the path: a ratio other than 1 is noise. The client ' +
      `program used ${Math.round(median(processor) * 100)} % of one CPU.`,
  }
}

/** Rate, median and 99th percentile; failures, if there were any. */
export function loadRows(what: string, took: Readonly<Record<Side, readonly Load[]>>): Row[] {
  const row = (of: string, unit: string, better: Row['better'], pick: (one: Load) => number): Row => ({
    what: `${what}, ${of}`,
    unit,
    better,
    ours: took.ours.map(pick),
    other: took.upstream.map(pick),
  })
  const failed = row('failed', 'requests', 'less', (one) => one.failed)
  return [
    row('rate', '1/s', 'more', ({ times, elapsed }) => times.length / elapsed),
    row('median', 'ms', 'less', ({ times }) => median(times)),
    row('p99', 'ms', 'less', ({ times }) => quantile(times, 0.99)),
    ...([...failed.ours, ...failed.other].some((count) => count > 0) ? [failed] : []),
  ]
}
