/** How much is measured: repeats, and seconds of each. Nothing here may make a run longer than `limit`. */
export type Size = {
  readonly images: boolean
  readonly startups: number
  readonly memory: { readonly repeats: number; readonly idle: number }
  readonly throughput: { readonly repeats: number; readonly seconds: number }
  readonly roundTrips: { readonly repeats: number; readonly seconds: number }
  readonly connections: { readonly repeats: number; readonly seconds: number }
}

export const full: Size = {
  images: true,
  startups: 7,
  memory: { repeats: 2, idle: 10 },
  throughput: { repeats: 3, seconds: 5 },
  roundTrips: { repeats: 3, seconds: 2 },
  connections: { repeats: 3, seconds: 2 },
}

export const quick: Size = {
  images: false,
  startups: 2,
  memory: { repeats: 1, idle: 3 },
  throughput: { repeats: 1, seconds: 2 },
  roundTrips: { repeats: 1, seconds: 1 },
  connections: { repeats: 1, seconds: 1 },
}

/** Seconds after which a run is given up, builds not counted. */
export const limit = 360
