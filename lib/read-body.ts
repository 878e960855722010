/** An answer has more bytes than its reader takes. */
export class TooLarge extends Error {}

/**
 * Reads the body of an HTTP answer as UTF-8 text.
 * @throws TooLarge when it is larger than `limit` bytes, so that memory is bounded.
 */
export async function readBody(answer: AsyncIterable<Buffer>, limit: number): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of answer) {
    size += chunk.length
    if (size > limit) throw new TooLarge(`the answer is larger than ${limit} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
