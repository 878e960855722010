/** The log for people; one call is one line. */
export type Log = (text: string) => void

const two = (value: number): string => String(value).padStart(2, '0')

/**
 * Lines in the form that upstream's users grep for: `boot: YYYY/MM/DD hh:mm:ss text`, local time. Line
 * breaks within a text are folded, so that no message can pass for another.
 */
export function bootLog(write: (line: string) => void, now: () => Date): Log {
  return (text) => {
    const time = now()
    const date = `${time.getFullYear()}/${two(time.getMonth() + 1)}/${two(time.getDate())}`
    const clock = `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`
    write(`boot: ${date} ${clock} ${text.trim().replaceAll(/\s*[\r\n]+\s*/g, '; ')}\n`)
  }
}
