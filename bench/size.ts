import type { ApiServerSize } from './apiserver/apiserver.ts'
import type { FirstByteSize } from './first-byte.ts'
import type { AddingSize } from './egress/adding.ts'
import type { AgentsSize } from './egress/agents.ts'
import type { BeforeSize } from './egress/before.ts'
import type { CountingSize } from './egress/counting.ts'
import type { EndToEndSize } from './egress/end-to-end.ts'
import type { PacketsSize } from './egress/packets.ts'
import type { StreamsSize } from './egress/streams.ts'
import type { IptablesSize } from './iptables/iptables.ts'
import type { OperatorSize } from './operator/operator.ts'
import type { ProbesSize } from './pod-probes.ts'
import type { RecorderSize } from './recorder/recorder.ts'
import type { ChangingSize } from './serve/changing.ts'
import type { RequestsSize } from './serve/requests.ts'

/** How much is measured: repeats, and seconds of each. Nothing here may make a bed last longer than `limit`. */
export type Size = {
  readonly startups: number
  readonly memory: { readonly repeats: number; readonly idle: number }
  readonly throughput: { readonly repeats: number; readonly seconds: number }
  readonly roundTrips: { readonly repeats: number; readonly seconds: number }
  readonly connections: { readonly repeats: number; readonly seconds: number }
  readonly podStarts: number
  readonly firstByte: FirstByteSize
  /** Seconds for which requests are counted, each time after a Pod's memory has been measured. */
  readonly podRest: number
  readonly podProbes: ProbesSize
  readonly egress: {
    readonly packets: PacketsSize
    readonly streams: StreamsSize
    readonly adding: AddingSize
    readonly loading: { readonly repeats: number }
    readonly agents: AgentsSize
    readonly before: BeforeSize
    readonly endToEnd: EndToEndSize
  }
  readonly counting: CountingSize
  readonly iptables: IptablesSize
  readonly operator: OperatorSize
  readonly apiServer: ApiServerSize
  readonly recorder: RecorderSize
  readonly serve: {
    readonly starts: number
    readonly podStarts: number
    readonly requests: RequestsSize
    readonly changing: ChangingSize
  }
}

export const full: Size = {
  startups: 7,
  memory: { repeats: 2, idle: 10 },
  throughput: { repeats: 3, seconds: 5 },
  roundTrips: { repeats: 3, seconds: 2 },
  connections: { repeats: 3, seconds: 2 },
  podStarts: 5,
  firstByte: { told: 10, alone: 5, watched: 20 },
  podRest: 20,
  podProbes: { repeats: 3, idle: 5, seconds: 20 },
  egress: {
    packets: { repeats: 5, flows: 1000, messages: 2000 },
    streams: { repeats: 3, seconds: 1 },
    adding: { repeats: 5, times: 20 },
    loading: { repeats: 5 },
    agents: { repeats: 3, changes: 5, rest: 10 },
    before: { repeats: 5, changes: 5, idle: 10 },
    endToEnd: { repeats: 3, messages: 5000, seconds: 3 },
  },
  counting: { repeats: 11, flows: 1000, messages: 5000, seconds: 2 },
  iptables: {
    agents: { more: { repeats: 5, times: 2 }, endToEnd: { repeats: 3, messages: 3000, seconds: 1 } },
    rules: { packets: { repeats: 9, flows: 1000, messages: 2000 }, streams: { repeats: 5, seconds: 1 } },
    byName: 5,
  },
  operator: { repeats: 1, services: 500, idle: 35, beside: { played: 100, pods: 30, idle: 15 } },
  apiServer: { repeats: 5, seconds: 3, watches: 100, events: 200, open: 10_000, session: 32 },
  recorder: { repeats: 3, sessions: 1000, seconds: 5, recordings: 100_000 },
  serve: { starts: 9, podStarts: 9, requests: { repeats: 7, seconds: 2 }, changing: { repeats: 5, times: 10 } },
}

export const quick: Size = {
  startups: 2,
  memory: { repeats: 1, idle: 3 },
  throughput: { repeats: 1, seconds: 2 },
  roundTrips: { repeats: 1, seconds: 1 },
  connections: { repeats: 1, seconds: 1 },
  podStarts: 2,
  firstByte: { told: 2, alone: 1, watched: 3 },
  podRest: 10,
  podProbes: { repeats: 1, idle: 3, seconds: 10 },
  egress: {
    packets: { repeats: 1, flows: 500, messages: 500 },
    streams: { repeats: 1, seconds: 1 },
    adding: { repeats: 1, times: 10 },
    loading: { repeats: 1 },
    agents: { repeats: 1, changes: 2, rest: 3 },
    before: { repeats: 2, changes: 2, idle: 3 },
    endToEnd: { repeats: 1, messages: 1000, seconds: 2 },
  },
  counting: { repeats: 3, flows: 200, messages: 1000, seconds: 1 },
  iptables: {
    agents: { more: { repeats: 1, times: 2 }, endToEnd: { repeats: 1, messages: 500, seconds: 1 } },
    rules: { packets: { repeats: 1, flows: 500, messages: 500 }, streams: { repeats: 1, seconds: 1 } },
    byName: 2,
  },
  operator: { repeats: 1, services: 100, idle: 10, beside: { played: 20, pods: 5, idle: 5 } },
  apiServer: { repeats: 1, seconds: 1, watches: 20, events: 50, open: 500, session: 8 },
  recorder: { repeats: 1, sessions: 200, seconds: 2, recordings: 100_000 },
  serve: { starts: 1, podStarts: 1, requests: { repeats: 2, seconds: 1 }, changing: { repeats: 1, times: 5 } },
}

/** Seconds after which a bed is given up. */
export const limit = 360
