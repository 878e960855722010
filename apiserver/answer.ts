import { Socket } from 'node:net'
import { type Duplex, Transform } from 'node:stream'
import { finished } from 'node:stream/promises'
import { callbackify } from 'node:util'
import { answeredHeaders } from './headers.ts'
import type { PassedAnswer, PassedHeaders } from '../lib/http-client.ts'

type Switched = Extract<PassedAnswer, { readonly connection: Duplex }>

/** The head by which a caller is told that the protocol of its connection changes. */
export function switchingHead(upgrade: string, headers: PassedHeaders): string {
  const lines = Object.entries(answeredHeaders(headers)).flatMap(([name, value]) =>
    [value].flat().map((one) => `${name}: ${one}\r\n`),
  )
  return `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${upgrade}\r\n${lines.join('')}\r\n`
}

/** Resolves when a piece of a session may go on, in either direction; rejects if it may not. */
export type Passing = {
  readonly fromCaller: (chunk: Buffer) => Promise<void>
  readonly fromServer: (chunk: Buffer) => Promise<void>
}

/**
 * Joins two connections until both ends are through, or the caller's breaks, which breaks the other. Each is only read
 * as fast as the other takes it, and as `passing` lets it go on. What the server had sent when it ended, in whatever
 * way, still comes to the caller.
 */
export async function join(caller: Duplex, { connection }: Switched, passing?: Passing): Promise<void> {
  // A keystroke must not wait for the acknowledgement of the last one.
  for (const one of [caller, connection]) if (one instanceof Socket) one.setNoDelay(true)
  const { promise, resolve: over } = Promise.withResolvers<void>()
  // It is closed then, too.
  connection.on('error', () => {})
  caller.once('close', over)
  connection.once('close', () => void finished(caller, { readable: false }).then(over, over))
  lead(caller, connection, passing && eachOf((chunk) => passing.fromCaller(chunk)).on('error', over))
  lead(connection, caller, passing && eachOf((chunk) => passing.fromServer(chunk)).on('error', over))
  await promise
  caller.destroy()
  connection.destroy()
}

function lead(from: Duplex, to: Duplex, through: Duplex | undefined): void {
  through?.pipe(to)
  const first = through ?? to
  from.pipe(first)
  // What breaks has no end.
  from.once('close', () => first.end())
}

/** Not a generator, which would close both directions of its source when one has ended. */
const eachOf = (pass: (chunk: Buffer) => Promise<void>): Transform => {
  const passed = callbackify(async (chunk: Buffer): Promise<Buffer> => {
    await pass(chunk)
    return chunk
  })
  return new Transform({ transform: (chunk: Buffer, _encoding, done) => passed(chunk, done) })
}
