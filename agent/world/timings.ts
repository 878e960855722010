/** Every wait whose length is our choice, in milliseconds. Tests may ask for the short ones (CULVERT_TEST_SHORT_WAITS). */
export type Timings = {
  /** Between two looks for tailscaled's socket: upstream takes 100 ms, half of which every start would lose. */
  readonly socketPoll: number
  /** Between two looks at tailscaled's status while a login is needed, and while none is. */
  readonly loginPoll: number
  readonly statusPoll: number
  /** For an answer to that look. */
  readonly statusTimeout: number
  /** A tailscaled that does not answer for so long is killed, and started again. */
  readonly hung: number
  /** Between two lines that say what start-up waits for. */
  readonly progress: number
  /** First and longest pause between two starts of tailscaled, two runs of `up`, two bus watches, two attempts of a reconciler. */
  readonly retryFirst: number
  readonly retryCap: number
  /** From the end of start-up until the memory that only it needed is given back: what follows at once still needs it. */
  readonly settle: number
  /** Between two full read-backs when nothing is known to have changed. */
  readonly reread: number
  /** Between two looks at what may change unannounced: mounted files, a Secret that may not be watched. */
  readonly look: number
  /** For another auth key, after one was refused. */
  readonly reissue: number
  /** An attempt of a reconciler that lasts longer will not end: each wait within it has a limit of its own. */
  readonly stuck: number
  /** For the tailnet to hear of withdrawn routes, and of withdrawn Tailscale Services: meanwhile they are still served. */
  readonly withdraw: number
  readonly withdrawServices: number
  /** For the whole stop procedure. */
  readonly stopBudget: number
  /** What of that is kept for tailscaled and what comes after it. */
  readonly stopGrace: number
  /** At the stop, for what is quick unless it hangs. */
  readonly stopShare: number
  /** For a target in the tailnet to answer, before it is taken for one that does not; and for one answer. */
  readonly contact: number
  readonly contactPing: number
  /** For tailscaled to have a certificate issued: it waits within that as long as the authority says. */
  readonly certificateAnswer: number
  /** First pause after a certificate could not be had, and that between two requests while all is well. */
  readonly certificateRetry: number
  readonly certificateDay: number
  /** Before the Pod may end: for one answer at a service's health URL. */
  readonly drainPing: number
  /** Between two rounds of these, of each service. */
  readonly drainRound: number
  /** A service that was silent for so long, and never led here meanwhile, is taken to lead elsewhere. */
  readonly drainSilence: number
  /** Nobody waits longer than that for services which go on leading here. */
  readonly drainLimit: number
  /** For the other nodes to follow, after this one. */
  readonly drainSettle: number
  /** Whoever asks again within so long after the last one has gone joins the same wait. */
  readonly drainDeserted: number
  /** At the stop: for nodes to forget connections that were reset, which Linux does after 10 s. */
  readonly drainForget: number
}

export const timings: Timings = {
  socketPoll: 20,
  loginPoll: 1000,
  statusPoll: 10_000,
  statusTimeout: 5000,
  hung: 120_000,
  progress: 10_000,
  retryFirst: 250,
  retryCap: 30_000,
  settle: 2000,
  reread: 600_000,
  look: 60_000,
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
  drainPing: 2000,
  drainRound: 1000,
  drainSilence: 15_000,
  drainLimit: 300_000,
  drainSettle: 10_000,
  drainDeserted: 2000,
  drainForget: 12_000,
}

export const shortTimings: Timings = {
  socketPoll: 20,
  loginPoll: 200,
  statusPoll: 500,
  statusTimeout: 500,
  hung: 10_000,
  progress: 1000,
  retryFirst: 50,
  retryCap: 1000,
  settle: 500,
  reread: 5000,
  look: 1000,
  reissue: 10_000,
  stuck: 300_000,
  withdraw: 1000,
  withdrawServices: 5000,
  stopBudget: 15_000,
  stopGrace: 5000,
  stopShare: 5000,
  contact: 15_000,
  contactPing: 1000,
  certificateAnswer: 10_000,
  certificateRetry: 500,
  certificateDay: 60_000,
  drainPing: 2000,
  drainRound: 5,
  drainSilence: 5000,
  drainLimit: 30_000,
  drainSettle: 1000,
  drainDeserted: 100,
  drainForget: 1200,
}
