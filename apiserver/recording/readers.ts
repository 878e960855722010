import { channels, type Piece } from './channels.ts'
import { SpdyReader, type Streams } from './spdy.ts'
import { WebSocketReader } from './websocket.ts'

/** The protocols in which sessions can be recorded. */
export type Protocol = 'websocket' | 'SPDY/3.1'

/** Gives the pieces in some bytes of one direction; undefined from the moment when they cannot be read any more. */
export type Read = (chunk: Buffer) => Piece[] | undefined | Promise<Piece[] | undefined>

/** Readers of both directions of a session. What the caller sends must be read before the server gets it. */
export function readersOf(protocol: Protocol): { readonly fromCaller: Read; readonly fromServer: Read } {
  if (protocol === 'websocket') return { fromCaller: webSocket(true), fromServer: webSocket(false) }
  const streams: Streams = new Map()
  const [fromCaller, fromServer] = [new SpdyReader(streams, true), new SpdyReader(streams, false)]
  return { fromCaller: (chunk) => fromCaller.read(chunk), fromServer: (chunk) => fromServer.read(chunk) }
}

function webSocket(isMasked: boolean): Read {
  const reader = new WebSocketReader(isMasked)
  return (chunk) => reader.read(chunk)?.map(({ number, bytes }) => ({ channel: channels[number], bytes }))
}
