/** How much is measured: repeats, and seconds of each. Nothing here may make a bed last longer than `limit`. */
export type Size = {
  readonly startups: number
  readonly memory: { readonly repeats: number; readonly idle: number }
  readonly throughput: { readonly repeats: number; readonly seconds: number }
  readonly roundTrips: { readonly repeats: number; readonly seconds: number }
  readonly connections: { readonly repeats: number; readonly seconds: number }
  readonly podStarts: number
  /** Seconds for which requests are counted, each time that a Pod's memory has been measured. */
  readonly podRest: number
}

export const full: Size = {
  startups: 7,
  memory: { repeats: 2, idle: 10 },
  throughput: { repeats: 3, seconds: 5 },
  roundTrips: { repeats: 3, seconds: 2 },
  connections: { repeats: 3, seconds: 2 },
  podStarts: 5,
  podRest: 20,
}

export const quick: Size = {
  startups: 2,
  memory: { repeats: 1, idle: 3 },
  throughput: { repeats: 1, seconds: 2 },
  roundTrips: { repeats: 1, seconds: 1 },
  connections: { repeats: 1, seconds: 1 },
  podStarts: 2,
  podRest: 10,
}

/** Seconds after which a bed is given up. */
export const limit = 360
