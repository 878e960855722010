const newline = 0x0a

/**
 * Splits a byte stream at newlines, wherever the chunks were cut. An unfinished last line is dropped.
 * @throws Error when one line exceeds `limit` bytes, so that memory is bounded.
 */
export async function* lines(chunks: AsyncIterable<Buffer>, limit: number): AsyncGenerator<string> {
  let pending: Buffer[] = []
  let size = 0
  for await (const chunk of chunks) {
    let start = 0
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      pending.push(chunk.subarray(start, end))
      yield Buffer.concat(pending).toString('utf8')
      pending = []
      size = 0
      start = end + 1
    }
    if (start === chunk.length) continue
    pending.push(chunk.subarray(start))
    size += chunk.length - start
    if (size > limit) throw new Error(`a line of the stream is longer than ${limit} bytes`)
  }
}
