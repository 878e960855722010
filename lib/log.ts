import type { Clock } from './clock.ts'
import { folder } from './log-fold.ts'
import { levels, type LogEvent } from './log-event.ts'
import { jsonLine, textLine } from './log-lines.ts'
import type { LogSettings } from './log-settings.ts'

/** Tells an event; one call is one line at most. */
export type Log = (event: LogEvent) => void

/** An open log. */
export type OpenLog = {
  readonly log: Log
  /** Tells an event of another program, whose lines this one carries; undefined if that writes them itself. */
  readonly carry: ((source: string, event: LogEvent) => void) | undefined
  /** Tells what is still held back, before the process ends. */
  readonly flush: () => void
}

/**
 * The log of a program, which its lines name as their source. Text has each event as it comes. In JSON, an event of its
 * own that repeats is told once, and then with a count each minute.
 */
export function openLog(
  source: string,
  { format, level }: LogSettings,
  { write, clock }: { readonly write: (line: string) => void; readonly clock: Clock },
): OpenLog {
  const least = levels.indexOf(level)
  const counts = ({ awaited, level: its }: LogEvent): boolean => awaited === true || levels.indexOf(its) >= least
  if (format === 'text') {
    const log: Log = (event) => counts(event) && write(textLine(clock.date(), event.text))
    return { log, carry: undefined, flush: () => {} }
  }
  const tell = (from: string, event: LogEvent, repeated = 0): void =>
    write(jsonLine(clock.date(), from, event, repeated))
  const { take, flush } = folder((event, repeated) => tell(source, event, repeated), clock)
  return {
    log: (event) => counts(event) && take(event),
    carry: (from, event) => counts(event) && tell(from, event),
    flush,
  }
}

/** The same event with all that it says changed by `change`, which names things as the reader knows them. */
export const reworded = (event: LogEvent, change: (text: string) => string): LogEvent => ({
  ...event,
  text: change(event.text),
  fields: Object.fromEntries(
    Object.entries(event.fields).map(([name, value]) => [name, typeof value === 'string' ? change(value) : value]),
  ),
})
