import { collectLines } from '../../lib/lines.ts'
import type { Level, LogEvent } from '../../lib/log-event.ts'
import { events } from './log-events.ts'

/** Of a longer line, this many bytes are told. */
const mostBytes = 16 * 1024

/** Tells each line of tailscaled's output until it ends. It is read whatever it is: tailscaled must never wait for that. */
export async function carryLines(
  output: readonly NodeJS.ReadableStream[],
  tell: (event: LogEvent) => void,
): Promise<void> {
  await Promise.all(
    output.map(async (stream) => {
      for await (const line of collectLines(whole(stream), collector())) {
        const event = eventOf(line)
        if (event !== undefined) tell(event)
      }
    }),
  )
}

/** The stream with an end to its last line, however it ends. */
async function* whole(stream: NodeJS.ReadableStream): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of stream) yield Buffer.from(chunk)
  } catch {
    // It was not read to its end, since a child of tailscaled still holds it.
  }
  yield Buffer.from('\n')
}

function collector() {
  let parts: Buffer[] = []
  let size = 0
  return {
    push: (part: Buffer): void => {
      if (size < mostBytes) parts.push(part)
      size += part.length
    },
    end: (): string => {
      const line = Buffer.concat(parts).toString('utf8', 0, mostBytes)
      ;[parts, size] = [[], 0]
      return line
    },
  }
}

/** An event that tells a line of tailscaled, without the time that it begins with; undefined if it is empty. */
export function eventOf(line: string): LogEvent | undefined {
  const text = line.replace(/^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d(?:\.\d+)? /, '').trim()
  return text === '' ? undefined : { ...events.line({ line: text }), fields: {}, level: levelOf(text) }
}

const levelOf = (text: string): Level =>
  /^(?:panic|fatal error): /.test(text)
    ? 'error'
    : /\[unexpected\]|^health\(.*\): error: |^warning: /i.test(text)
      ? 'warn'
      : 'info'
