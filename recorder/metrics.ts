import type { Metric } from '../lib/metrics.ts'
import { tally } from '../lib/tally.ts'
import { type Refused, refusedFor } from './refused.ts'

/** What is read for the metrics when they are asked for. */
export type Gauges = {
  readonly open: number
  readonly receivedBytes: number
  readonly unacknowledged: { readonly bytes: number; readonly ms: number }
  readonly stored: { readonly recordings: number; readonly bytes: number }
  readonly freeBytes: number | undefined
  /** What is wrong with each part that new recordings need, or S3 needs: undefined if nothing is. */
  readonly needs: Readonly<Record<string, string | undefined>>
}

/** Counts what happens, for Prometheus. */
export function counting() {
  const recordings = tally('result')
  const failures = tally('reason')
  for (const reason of refusedFor) failures.start(reason)
  const whois = tally('result')
  const events = tally()
  const removed = tally()
  const answers = tally('status')
  const read = tally()
  return {
    ended: (result: 'whole' | 'cut' | 'empty'): void => recordings.add(result),
    refused: ({ reason }: Pick<Refused, 'reason'>): void => failures.add(reason),
    asked: (result: string): void => whois.add(result),
    event: (): void => events.add(),
    removed: (): void => removed.add(),
    /** The web page has answered with this status. */
    answered: (status: number): void => answers.add(String(status)),
    read: (): void => read.add(),
    all: ({ open, receivedBytes, unacknowledged, stored, freeBytes, needs }: Gauges): Metric[] => [
      {
        name: 'culvert_recorder_recordings_total',
        type: 'counter',
        help: 'Recordings that have ended: whole, cut off before the end of their session, or empty and not kept.',
        samples: recordings.samples(),
      },
      {
        name: 'culvert_recorder_failures_total',
        type: 'counter',
        help: 'Uploads that were refused or broken off, by reason.',
        samples: failures.samples(),
      },
      {
        name: 'culvert_recorder_events_total',
        type: 'counter',
        help: 'Requests to API servers that were stored.',
        samples: events.samples(),
      },
      {
        name: 'culvert_recorder_removed_total',
        type: 'counter',
        help: 'Recordings and events that were removed, since they were too old or too many.',
        samples: removed.samples(),
      },
      {
        name: 'culvert_recorder_whois_total',
        type: 'counter',
        help: 'Questions to tailscaled who a device is, by result.',
        samples: whois.samples(),
      },
      {
        name: 'culvert_recorder_page_answers_total',
        type: 'counter',
        help: 'Answers of the web page, by status.',
        samples: answers.samples(),
      },
      {
        name: 'culvert_recorder_read_total',
        type: 'counter',
        help: 'Recordings and requests that somebody has opened on the web page.',
        samples: read.samples(),
      },
      {
        name: 'culvert_recorder_ready',
        type: 'gauge',
        help: 'Whether a part that recordings need works (1) or not (0).',
        samples: Object.entries(needs).map(([part, problem]) => ({
          labels: { part },
          value: problem === undefined ? 1 : 0,
        })),
      },
      gauge('culvert_recorder_open', 'Recordings that are being uploaded.', open),
      {
        name: 'culvert_recorder_received_bytes_total',
        type: 'counter',
        help: 'Bytes of recordings that have come.',
        samples: [{ value: receivedBytes }],
      },
      gauge(
        'culvert_recorder_unacknowledged_bytes',
        'Bytes that have come, and that are not reported as stored yet.',
        unacknowledged.bytes,
      ),
      gauge(
        'culvert_recorder_unacknowledged_seconds',
        'How long the oldest of these bytes has waited.',
        unacknowledged.ms / 1000,
      ),
      gauge('culvert_recorder_stored', 'Recordings that are kept.', stored.recordings),
      gauge('culvert_recorder_stored_bytes', 'Their size, with events.', stored.bytes),
      ...(freeBytes === undefined
        ? []
        : [gauge('culvert_recorder_free_bytes', 'Room that is left for more.', freeBytes)]),
    ],
  }
}

export type Counts = ReturnType<typeof counting>

/** A metric that is one number. */
export const gauge = (name: string, help: string, value: number): Metric => ({
  name,
  type: 'gauge',
  help,
  samples: [{ value }],
})
