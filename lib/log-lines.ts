import type { LogEvent } from './log-event.ts'
import { visible } from './quote.ts'

const two = (value: number): string => String(value).padStart(2, '0')

/** Without line breaks, so that no message can pass for another. */
const folded = (text: string): string => text.trim().replaceAll(/\s*[\r\n]+\s*/g, '; ')

/** Characters that control a terminal, or the direction of its text. */
const controls = /(?!\t)[\p{Cc}\p{Cf}]/gu

/** A line in the form that upstream's users grep for: `boot: YYYY/MM/DD hh:mm:ss text`, local time. */
export function textLine(time: Date, text: string): string {
  const date = `${time.getFullYear()}/${two(time.getMonth() + 1)}/${two(time.getDate())}`
  const clock = `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`
  return `boot: ${date} ${clock} ${folded(text).replaceAll(controls, visible)}\n`
}

/** The members of each JSON line besides those that an event brings, which must have other names. */
export const members = ['time', 'level', 'source', 'event', 'msg', 'repeated'] as const

/** A JSON document in one line. `repeated`: how often the event has come again since it was told. */
export function jsonLine(
  time: Date,
  source: string,
  { name, level, text, fields }: LogEvent,
  repeated: number,
): string {
  const line: Record<(typeof members)[number], unknown> = {
    time: time.toISOString(),
    level,
    source,
    event: name,
    // The level says so.
    msg: folded(text).replace(/^(?:warning|error): /, ''),
    repeated: repeated > 0 ? repeated : undefined,
  }
  return `${JSON.stringify({ ...line, ...fields })}\n`
}
