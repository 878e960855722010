import { CulvertError } from '../../../lib/errors.ts'

export type Listener = (line: string, from: 'stdout' | 'stderr') => void

/** How many lines are kept. */
const kept = 500

/** The last lines that a process printed, and a way to wait for one. */
export class LineLog {
  readonly #name: string
  readonly #lines: string[] = []
  readonly #listeners = new Set<Listener>()
  readonly #endings = new Set<(how: string) => void>()
  #ended: string | undefined

  constructor(name: string) {
    this.#name = name
  }

  get tail(): readonly string[] {
    return this.#lines
  }

  push(line: string, from: 'stdout' | 'stderr'): void {
    this.#lines.push(line)
    if (this.#lines.length > kept) this.#lines.splice(0, this.#lines.length - kept)
    for (const listener of this.#listeners) listener(line, from)
  }

  /** No line will follow. */
  end(how: string): void {
    this.#ended = how
    for (const ending of this.#endings) ending(how)
  }

  /** Calls `listener` for every line from now on, until the returned function is called. */
  listen(listener: Listener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * The first line that matches, of those kept or to come within `timeout` milliseconds. Rejects with CulvertError
   * `command`, the last lines in its message, without one.
   */
  find(pattern: RegExp, timeout: number): Promise<RegExpExecArray> {
    const once = new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ''))
    for (const line of this.#lines) {
      const match = once.exec(line)
      if (match !== null) return Promise.resolve(match)
    }
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        unlisten()
        this.#endings.delete(ended)
        clearTimeout(timer)
      }
      const fail = (why: string): void => {
        finish()
        const last = this.#lines.slice(-15).map((line) => `  ${line}`)
        reject(new CulvertError('command', [`${this.#name} printed no ${String(once)}: ${why}`, ...last].join('\n')))
      }
      const ended = (how: string): void => fail(`it ${how}`)
      const unlisten = this.listen((line) => {
        const match = once.exec(line)
        if (match === null) return
        finish()
        resolve(match)
      })
      this.#endings.add(ended)
      const timer = setTimeout(() => fail(`not within ${timeout} ms`), timeout)
      if (this.#ended !== undefined) ended(this.#ended)
    })
  }
}
