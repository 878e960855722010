/** Counts what a directory holds, so that it has no more than it may. */
export class Room {
  readonly #most: number
  /** In bytes. */
  used = 0

  /** `most` is in bytes, Infinity without a limit. */
  constructor(most: number) {
    this.#most = most
  }

  get left(): number {
    return Math.max(0, this.#most - this.used)
  }

  /** @throws Error with the code `ENOSPC` if there is no room for so many bytes more */
  check(bytes: number): void {
    if (bytes <= this.left) return
    throw Object.assign(new Error(`there is no room for ${bytes} bytes more: the limit is ${this.#most}`), {
      code: 'ENOSPC',
    })
  }
}
