/** Every wait whose length is our choice, in milliseconds. Tests may ask for the short ones (CULVERT_TEST_SHORT_WAITS). */
export type Waits = {
  /** Between two looks for tailscaled's socket (agent.md §2 step 6). */
  readonly socketPoll: number
  /** Between two looks for the URL at which a person must log in. */
  readonly loginPoll: number
  /** Between two lines that say what start-up waits for. */
  readonly progress: number
  /** First and longest pause between two starts of tailscaled, two runs of `up`, two bus watches, two facet attempts. */
  readonly retryFirst: number
  readonly retryCap: number
  /** Between two full read-backs when nothing is known to have changed. */
  readonly reread: number
  /** For the whole stop procedure (agent.md §11). */
  readonly stopBudget: number
}

export const waits: Waits = {
  socketPoll: 100,
  loginPoll: 1000,
  progress: 10_000,
  retryFirst: 250,
  retryCap: 30_000,
  reread: 600_000,
  stopBudget: 25_000,
}

export const shortWaits: Waits = {
  socketPoll: 20,
  loginPoll: 200,
  progress: 1000,
  retryFirst: 50,
  retryCap: 1000,
  reread: 5000,
  stopBudget: 5000,
}
