import type { Reply } from '../reply.ts'
import { common } from './headers.ts'

/** Answers as a whole. */
export function answer(
  reply: Reply,
  status: number,
  body: string | Buffer,
  headers: Readonly<Record<string, string>> = {},
): void {
  const bytes = Buffer.from(body)
  const type = 'text/html; charset=utf-8'
  reply.begin(status, { ...common, 'content-type': type, 'content-length': bytes.length, ...headers })
  reply.say(bytes)
  reply.end()
}
