import type { Readable } from '../store/store.ts'

const newline = 0x0a

/** In bytes: how much is read at first, and the most that is searched for the beginning of the last line. */
const [firstBytes, mostBytes] = [4096, 16 * 1024 * 1024]

/** How a recording ends. */
export type Tail = {
  /** Its length in bytes up to the end of its last whole line. */
  readonly whole: number
  /** The time of its last event, in seconds since the session began; undefined if there is none. */
  readonly seconds: number | undefined
  /** Whether the last event says that the recording was cut off. */
  readonly isCut: boolean
}

/** A line that says that the recording ends before the session did: a marker, which players show as one. */
export const cutMarker = (seconds: number, why: string): string =>
  `${JSON.stringify([seconds, 'm', `recording cut off: ${why}`])}\n`

/** Finds the end of a recording. Of one without a whole line, the length is 0. */
export async function readTail(recording: Pick<Readable, 'bytes' | 'read'>): Promise<Tail> {
  const whole = await lengthOfWholeLines(recording)
  if (whole === 0) return { whole, seconds: undefined, isCut: false }
  const last = await lastLine(recording, whole - 1)
  const [, seconds] = /^\[\s*(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*,/.exec(last) ?? []
  const isCut = /^\[[^,]*,"m","recording cut off: .*"\]$/s.test(last)
  return { whole, seconds: seconds === undefined ? undefined : Number(seconds), isCut }
}

async function lengthOfWholeLines(recording: Pick<Readable, 'bytes' | 'read'>): Promise<number> {
  for (let end = recording.bytes, step = firstBytes; end > 0; step = Math.min(2 * step, mostBytes)) {
    const from = Math.max(0, end - step)
    const at = (await recording.read(from, end)).lastIndexOf(newline)
    if (at >= 0) return from + at + 1
    end = from
  }
  return 0
}

/** The line that ends at `end`, or only its last bytes if it is very long. */
async function lastLine(recording: Pick<Readable, 'read'>, end: number): Promise<string> {
  for (let step = firstBytes; ; step *= 8) {
    const from = Math.max(0, end - step)
    const bytes = await recording.read(from, end)
    const at = bytes.lastIndexOf(newline)
    if (at >= 0 || from === 0 || step >= mostBytes) return bytes.toString('utf8', at + 1)
  }
}
