import { type Channel, channels } from '../../../apiserver/recording/channels.ts'
import { message } from './frames.ts'
import { data, HeaderFrames } from './spdy-frames.ts'

const mask = Buffer.of(1, 2, 3, 4)
const numberOf = (channel: Channel): number => channels.indexOf(channel)

/** A protocol in which sessions are held. */
export type Wire = {
  readonly method: string
  readonly headers: readonly string[]
  readonly toString: () => string
  /** Some output of a container as the API server sends it, where that needs nothing before it. */
  readonly output: (text: string) => Buffer
  /** What begins a connection, and what a caller and a server send on it then. */
  readonly connection: () => Promise<{
    readonly opening: Buffer
    readonly caller: (channel: Channel, bytes: string | Buffer) => Buffer
    readonly its: (channel: Channel, bytes: string | Buffer) => Buffer
  }>
}

const webSocket: Wire = {
  method: 'GET',
  headers: [
    'Upgrade: websocket',
    'Sec-WebSocket-Protocol: v5.channel.k8s.io',
    'Sec-WebSocket-Extensions: permessage-deflate',
  ],
  toString: () => 'WebSocket',
  output: (text) => message(1, text),
  connection: async () => ({
    opening: Buffer.alloc(0),
    caller: (channel, bytes) => message(numberOf(channel), bytes, mask),
    its: (channel, bytes) => message(numberOf(channel), bytes),
  }),
}

const spdy: Wire = {
  method: 'POST',
  headers: ['Upgrade: SPDY/3.1', 'X-Stream-Protocol-Version: v4.channel.k8s.io'],
  toString: () => 'SPDY',
  output: (text) => data(3, text),
  connection: async () => {
    const frames = new HeaderFrames()
    const opened: Buffer[] = []
    for (const channel of channels)
      // oxlint-disable-next-line no-await-in-loop
      opened.push(await frames.open(2 * numberOf(channel) + 1, ['streamtype', channel]))
    const send = (channel: Channel, bytes: string | Buffer): Buffer => data(2 * numberOf(channel) + 1, bytes)
    return { opening: Buffer.concat(opened), caller: send, its: send }
  },
}

export const wires = { webSocket, spdy }
