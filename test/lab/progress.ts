/** Shows progress: step k of n, what, and how long it has taken. */
export type Progress = {
  /** Runs `work` as the next step. `work` may call its argument to report progress. */
  readonly step: <T>(what: string, work: (note: (detail: string) => void) => Promise<T>) => Promise<T>
}

export type Screen = {
  readonly isTTY?: boolean
  readonly columns?: number
  readonly write: (text: string) => unknown
}

/** Milliseconds between updates: on a terminal the line is rewritten, elsewhere a line is added. */
const onTerminal = 200
const elsewhere = 10_000
/** Elsewhere a step that ends sooner than this is shown in one line instead of two. */
const quick = 700

const silent: Progress = { step: (_what, work) => work(() => undefined) }

/** Progress that prints nothing: for tests, which have a reporter already. */
export function noProgress(): Progress {
  return silent
}

/** A duration for people, from milliseconds. */
export function seconds(ms: number): string {
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`
  const whole = Math.round(ms / 1000)
  return `${Math.floor(whole / 60)} min ${whole % 60} s`
}

/** Writes to `screen`, standard error by default. `total` is the number of steps that will be taken. */
export function progress(total: number, screen: Screen = process.stderr): Progress {
  let taken = 0
  return {
    step: async (what, work) => {
      taken += 1
      const head = `[${taken}/${total}] ${what}`
      const started = performance.now()
      let detail = ''
      const line = (): string =>
        `${head}${detail === '' ? '' : `: ${detail}`} (${seconds(performance.now() - started)})`
      const stop = tick(screen, line, head)
      let outcome = 'failed after'
      try {
        const result = await work((text) => {
          detail = text
        })
        outcome = 'done in'
        return result
      } finally {
        stop()
        const clear = screen.isTTY === true ? '\r\u001B[K' : ''
        screen.write(`${clear}${head}: ${outcome} ${seconds(performance.now() - started)}\n`)
      }
    },
  }
}

/** Prints updates until the returned function is called. */
function tick(screen: Screen, line: () => string, head: string): () => void {
  if (screen.isTTY === true) {
    const show = (): unknown => screen.write(`\r\u001B[K${line().slice(0, (screen.columns ?? 80) - 1)}`)
    show()
    const showing = setInterval(show, onTerminal)
    return () => clearInterval(showing)
  }
  let telling: NodeJS.Timeout | undefined
  const first = setTimeout(() => {
    screen.write(`${head} …\n`)
    telling = setInterval(() => screen.write(`${line()}\n`), elsewhere)
  }, quick)
  return () => {
    clearTimeout(first)
    clearInterval(telling)
  }
}
