import { histogram } from '../lib/histogram.ts'
import type { Metric } from '../lib/metrics.ts'
import { tally } from '../lib/tally.ts'
import type { Audited } from './audit.ts'
import type { OpenRequests } from './open-requests.ts'

const kinds = ['request', 'watch', 'session'] as const

/** The verbs that Kubernetes and HTTP have; a caller may write any other. */
const verbs = new Set([
  'get',
  'list',
  'watch',
  'create',
  'update',
  'patch',
  'delete',
  'deletecollection',
  'proxy',
  'head',
  'post',
  'put',
  'options',
])

/** Counts what happens, for Prometheus. */
export function measures() {
  const requests = tally('verb', 'code')
  const refusals = tally('reason')
  const whois = tally('result')
  const cuts = tally()
  const recordings = tally('result')
  const events = tally('result')
  const seconds = histogram()
  return {
    ended: (
      { info, status, refused, cut, ms, recorder, unrecorded, event }: Audited,
      kind: (typeof kinds)[number],
    ): void => {
      requests.add(verbs.has(info.verb) ? info.verb : 'other', status === undefined ? '<none>' : String(status))
      if (refused) refusals.add(refused.reason)
      if (cut !== undefined) cuts.add()
      if (unrecorded !== undefined) recordings.add('failed')
      else if (recorder !== undefined) recordings.add('recorded')
      if (event) events.add(event.unrecorded === undefined ? 'recorded' : 'failed')
      if (kind === 'request' && !refused) seconds.observe(ms / 1000)
    },
    asked: (result: string): void => whois.add(result),
    all: (open: OpenRequests): Metric[] => [
      {
        name: 'culvert_apiserver_requests_total',
        type: 'counter',
        help: 'Requests that have ended, by verb and status.',
        samples: requests.samples(),
      },
      {
        name: 'culvert_apiserver_refused_total',
        type: 'counter',
        help: 'Requests that were not passed on, by reason.',
        samples: refusals.samples(),
      },
      {
        name: 'culvert_apiserver_cut_total',
        type: 'counter',
        help: 'Open requests that were cut off, since their caller may not go on.',
        samples: cuts.samples(),
      },
      {
        name: 'culvert_apiserver_recordings_total',
        type: 'counter',
        help: 'Sessions that have ended, where the policy names recorders: recorded to their end, or not.',
        samples: recordings.samples(),
      },
      {
        name: 'culvert_apiserver_events_total',
        type: 'counter',
        help: 'Requests that were passed on, where the policy wants them recorded: recorded before, or not.',
        samples: events.samples(),
      },
      {
        name: 'culvert_apiserver_whois_total',
        type: 'counter',
        help: 'Questions to tailscaled who a device is, by result.',
        samples: whois.samples(),
      },
      {
        name: 'culvert_apiserver_open',
        type: 'gauge',
        help: 'Open requests, by kind: watches and sessions last.',
        samples: kinds.map((kind) => ({ labels: { kind }, value: open.count(kind) })),
      },
      {
        name: 'culvert_apiserver_request_seconds',
        type: 'histogram',
        help: 'Time from head to end of requests that were passed on, without watches and sessions.',
        samples: seconds.samples({}),
      },
    ],
  }
}

export type Measures = ReturnType<typeof measures>
