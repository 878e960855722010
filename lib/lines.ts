const newline = 0x0a

/** Builds a value from each line, which arrives in parts. */
export type Collector<Line> = {
  readonly push: (part: Buffer) => void
  /** The line is complete; the next one may follow. */
  readonly end: () => Line
}

/** Splits a byte stream at newlines, wherever the chunks were cut. An unfinished last line is dropped. */
export async function* collectLines<Line>(
  chunks: AsyncIterable<Buffer>,
  { push, end }: Collector<Line>,
): AsyncGenerator<Line> {
  for await (const chunk of chunks) {
    let start = 0
    for (let stop = chunk.indexOf(newline); stop >= 0; stop = chunk.indexOf(newline, start)) {
      push(chunk.subarray(start, stop))
      yield end()
      start = stop + 1
    }
    if (start < chunk.length) push(chunk.subarray(start))
  }
}

/**
 * The lines of a byte stream as text.
 * @throws Error when one line exceeds `limit` bytes, so that memory is bounded.
 */
export function lines(chunks: AsyncIterable<Buffer>, limit: number): AsyncGenerator<string> {
  let parts: Buffer[] = []
  let size = 0
  return collectLines(chunks, {
    push: (part) => {
      parts.push(part)
      size += part.length
      if (size > limit) throw new Error(`a line of the stream is longer than ${limit} bytes`)
    },
    end: () => {
      const line = Buffer.concat(parts).toString('utf8')
      parts = []
      size = 0
      return line
    },
  })
}
