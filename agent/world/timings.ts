/** All waits that are our choice, in milliseconds. Tests may use short ones (CULVERT_TEST_SHORT_WAITS). */
export type Timings = {
  /** Between two checks for tailscaled's socket. Upstream's 100 ms would cost each start half of that. */
  readonly socketPoll: number
  /** The first pause between two bus watches. */
  readonly rewatch: number
  /** Between two checks of tailscaled's status while a login is needed, and while none is. */
  readonly loginPoll: number
  readonly statusPoll: number
  /** Until messages of the bus that are older than such an answer have been read. */
  readonly unread: number
  /** For the answer to such a check. */
  readonly statusTimeout: number
  /** A tailscaled that does not answer for this long is killed and restarted. */
  readonly hung: number
  /** Between two lines that say what start-up waits for. */
  readonly progress: number
  /**
   * First and longest pause between two starts of tailscaled, two runs of `up`, two bus watches, two attempts of a
   * reconciler.
   */
  readonly retryFirst: number
  readonly retryCap: number
  /** From the end of start-up until its garbage is collected, since the first work after it still adds to that. */
  readonly settle: number
  /** Between two full read-backs when no change is known. */
  readonly reread: number
  /** Between two checks of what may change without notice: mounted files, a Secret that may not be watched. */
  readonly look: number
  /** For how long the state Secret is left to another Pod that has taken it over. */
  readonly leave: number
  /** For another auth key, after one was refused. */
  readonly reissue: number
  /** An attempt of a reconciler that lasts longer hangs: each wait within it has a limit of its own. */
  readonly stuck: number
  /** For the tailnet to learn that routes or Tailscale Services were withdrawn; they are served meanwhile. */
  readonly withdraw: number
  readonly withdrawServices: number
  /** For the whole stop procedure. */
  readonly stopBudget: number
  /** The part of it that is reserved for tailscaled and what comes after it. */
  readonly stopGrace: number
  /** For steps of the stop that are quick unless they hang. */
  readonly stopShare: number
  /** For a target in the tailnet to answer at all; and for a single answer. */
  readonly contact: number
  readonly contactPing: number
  /** For tailscaled to get a certificate, including the wait that the authority asks for. */
  readonly certificateAnswer: number
  /** First pause after a failed certificate request, and the pause between two requests when all is well. */
  readonly certificateRetry: number
  readonly certificateDay: number
  /** How long connections to a backend go on at least that the name of L3 ingress no longer has. */
  readonly backendLeave: number
  /** preStop: for one answer at a service's health URL. */
  readonly drainPing: number
  /** preStop: between two rounds of pings for a service. */
  readonly drainRound: number
  /**
   * preStop: a service that was silent for this long, and did not route here meanwhile, is assumed to route elsewhere.
   */
  readonly drainSilence: number
  /** preStop: limit for services that keep routing here. */
  readonly drainLimit: number
  /** preStop: for the other nodes to follow this one. */
  readonly drainSettle: number
  /** preStop: a client that asks again within this time after the last one has gone joins the same wait. */
  readonly drainDeserted: number
  /** At the stop: for nodes to forget connections that were reset, which takes Linux 10 s. */
  readonly drainForget: number
}

export const timings: Timings = {
  socketPoll: 5,
  rewatch: 20,
  loginPoll: 1000,
  statusPoll: 10_000,
  unread: 1000,
  statusTimeout: 5000,
  hung: 120_000,
  progress: 10_000,
  retryFirst: 250,
  retryCap: 30_000,
  settle: 2000,
  reread: 600_000,
  look: 60_000,
  leave: 300_000,
  reissue: 600_000,
  stuck: 300_000,
  withdraw: 3000,
  withdrawServices: 20_000,
  stopBudget: 25_000,
  stopGrace: 4000,
  stopShare: 3000,
  contact: 15_000,
  contactPing: 1000,
  certificateAnswer: 300_000,
  certificateRetry: 60_000,
  certificateDay: 86_400_000,
  backendLeave: 120_000,
  drainPing: 2000,
  drainRound: 1000,
  drainSilence: 15_000,
  drainLimit: 300_000,
  drainSettle: 10_000,
  drainDeserted: 2000,
  drainForget: 12_000,
}

export const shortTimings: Timings = {
  socketPoll: 5,
  rewatch: 20,
  loginPoll: 200,
  statusPoll: 500,
  unread: 100,
  statusTimeout: 2000,
  hung: 10_000,
  progress: 1000,
  retryFirst: 50,
  retryCap: 1000,
  settle: 500,
  reread: 5000,
  look: 1000,
  leave: 3000,
  reissue: 10_000,
  stuck: 300_000,
  withdraw: 1000,
  withdrawServices: 5000,
  stopBudget: 15_000,
  stopGrace: 5000,
  stopShare: 5000,
  contact: 15_000,
  contactPing: 1000,
  certificateAnswer: 20_000,
  certificateRetry: 500,
  certificateDay: 60_000,
  backendLeave: 3000,
  drainPing: 2000,
  drainRound: 5,
  drainSilence: 5000,
  drainLimit: 30_000,
  drainSettle: 1000,
  drainDeserted: 100,
  drainForget: 1200,
}
