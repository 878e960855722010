import { ServerResponse } from 'node:http'
import type { Http2ServerResponse } from 'node:http2'

/** How long the other side may take nothing of an answer before it counts as gone, in milliseconds. */
const deafMs = 120_000

/** An answer, of either version of HTTP. */
export type Reply = {
  readonly hasBegun: () => boolean
  /** Sends the head at once. */
  readonly begin: (status: number, headers: Readonly<Record<string, string | number>>) => void
  readonly say: (text: string | Buffer) => void
  /** Says all of it and ends, as fast as the other side takes it; resolves early when that is gone, or takes nothing. */
  readonly pour: (chunks: AsyncIterable<Buffer>, mostMs?: number) => Promise<void>
  /** Whether what was said before has not been taken yet. */
  readonly isDeaf: () => boolean
  /** Ends it, and what is still sent by the other side is not read any more. */
  readonly end: () => void
  /** Ends it so that the other side sees that there should have been more. */
  readonly break: () => void
}

export function replyTo(response: ServerResponse | Http2ServerResponse): Reply {
  const hasBody = response.req.method !== 'HEAD'
  let isGone = false
  let wake = (): void => {}
  response.once('close', () => {
    isGone = true
    wake()
  })
  const common = {
    hasBegun: () => response.headersSent,
    isDeaf: () => response.writableNeedDrain,
    pour: async (chunks: AsyncIterable<Buffer>, mostMs = deafMs) => {
      response.on('drain', () => wake())
      const taken = async (): Promise<void> => {
        const timer = setTimeout(() => response.destroy(), mostMs)
        await new Promise<void>((resolve) => (wake = resolve))
        clearTimeout(timer)
      }
      if (hasBody)
        for await (const chunk of chunks) {
          if (isGone) return
          if (!write(response, chunk)) await taken()
        }
      response.end()
    },
    break: () => void response.destroy(),
  }
  if (response instanceof ServerResponse)
    return {
      ...common,
      begin: (status, headers) => {
        // A connection whose request is not read to its end cannot have another one.
        if (!response.req.complete) response.shouldKeepAlive = false
        response.writeHead(status, headers).flushHeaders()
      },
      say: (text) => void (hasBody && response.write(text)),
      end: () => void response.end(),
    }
  const { stream } = response
  return {
    ...common,
    // HTTP/2 does not wait for the body.
    begin: (status, headers) => void response.writeHead(status, headers),
    say: (text) => void (hasBody && response.write(text)),
    end: () => {
      stream.once('finish', () => {
        if (!stream.readableEnded) stream.close()
      })
      response.end()
    },
  }
}

/** Whether more may come at once. */
const write = (response: ServerResponse | Http2ServerResponse, chunk: Buffer): boolean =>
  response instanceof ServerResponse ? response.write(chunk) : response.write(chunk)

/** The whole of a short answer. */
export function answer(reply: Reply, status: number, text = ''): void {
  reply.begin(status, { 'content-type': 'text/plain; charset=utf-8', 'content-length': Buffer.byteLength(text) })
  if (text !== '') reply.say(text)
  reply.end()
}
