import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
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

/**
 * Joins two connections until both ends are through, or one breaks, which breaks the other. Each is only read as fast
 * as the other takes it.
 */
export async function join(caller: Duplex, { connection }: Switched): Promise<void> {
  // A keystroke must not wait for the acknowledgement of the last one.
  for (const one of [caller, connection]) if (one instanceof Socket) one.setNoDelay(true)
  try {
    await Promise.all([pipeline(caller, connection), pipeline(connection, caller)])
  } catch {
    // Either side may go at any time.
  } finally {
    caller.destroy()
    connection.destroy()
  }
}
