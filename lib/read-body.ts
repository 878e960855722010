/**
 * Reads the body of an HTTP answer as UTF-8 text.
 * @throws Error when it is larger than `limit` bytes, so that memory is bounded.
 */
export async function readBody(answer: AsyncIterable<Buffer>, limit: number): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of answer) {
    size += chunk.length
    if (size > limit) throw new Error(`the answer is larger than ${limit} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
