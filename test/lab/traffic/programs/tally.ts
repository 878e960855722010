import type { Echo, Report } from '../protocol.ts'

/** The number of failures that are reported one by one. */
const mostFailures = 20

/** Counts exchanges. */
export class Tally {
  readonly #started = performance.now()
  #sent = 0
  #lastAnswer: number | undefined
  #longestGap = 0
  readonly #times: number[] = []
  readonly #errors: Record<string, number> = {}
  readonly #failures: Failure[] = []
  readonly #retried: Failure[] = []
  readonly #answeredBy: Record<string, number> = {}
  readonly #seenAs = new Set<string>()
  #maxAtOnce = 0
  #broken: Report['broken']
  #again: Report['again']
  #ended: number | undefined

  /** Returns the time of sending. */
  begin(): number {
    this.#sent += 1
    const now = performance.now()
    // Before the first answer, gaps count from the first message, without the time to connect.
    this.#lastAnswer ??= now
    return now
  }

  /** The number of exchanges under way. */
  atOnce(count: number): void {
    this.#maxAtOnce = Math.max(this.#maxAtOnce, count)
  }

  answer(echo: Echo, sent: number): void {
    const now = performance.now()
    this.#longestGap = Math.max(this.#longestGap, now - (this.#lastAnswer ?? now))
    this.#lastAnswer = now
    this.#times.push(now - sent)
    this.#answeredBy[echo.host] = (this.#answeredBy[echo.host] ?? 0) + 1
    this.#seenAs.add(echo.peer)
  }

  fail(code: string): void {
    this.#errors[code] = (this.#errors[code] ?? 0) + 1
    note(this.#failures, code)
  }

  /** A failure that is followed by another attempt. */
  retry(code: string): void {
    note(this.#retried, code)
  }

  /** The flow was ended by the other side; nothing is sent any more. */
  break(code: string): void {
    this.#broken ??= { at: Math.round(performance.now() - this.#started), code }
  }

  again(result: string): void {
    this.#again = result
  }

  /** No exchange begins from now on: waiting for late answers is no gap. */
  end(): void {
    this.#ended ??= performance.now()
  }

  report(): Report {
    const now = this.#ended ?? performance.now()
    const sorted = this.#times.toSorted((a, b) => a - b)
    const failed = Object.values(this.#errors).reduce((sum, count) => sum + count, 0)
    const open = this.#lastAnswer === undefined ? 0 : now - this.#lastAnswer
    return {
      sent: this.#sent,
      answered: sorted.length,
      lost: this.#sent - sorted.length - failed,
      errors: { ...this.#errors },
      failures: [...this.#failures],
      retried: [...this.#retried],
      longestGap: Math.round(Math.max(this.#longestGap, open)),
      elapsed: Math.round(now - this.#started),
      median: round(sorted[Math.floor(sorted.length / 2)] ?? 0),
      slowest: round(sorted.at(-1) ?? 0),
      maxAtOnce: this.#maxAtOnce,
      answeredBy: { ...this.#answeredBy },
      seenAs: [...this.#seenAs].toSorted(),
      ...(this.#broken === undefined ? {} : { broken: this.#broken }),
      ...(this.#again === undefined ? {} : { again: this.#again }),
    }
  }
}

type Failure = { readonly at: string; readonly code: string }

function note(failures: Failure[], code: string): void {
  if (failures.length < mostFailures) failures.push({ at: new Date().toISOString(), code })
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100
}
