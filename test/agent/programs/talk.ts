// Runs in a host: node talk.ts JSON, of { to, port, bytes, end, patience }
// Sends this many bytes over a connection, and then ends its half if `end`. Prints as JSON { received, how, taken }: the
// text that came back; how the connection ended, `end`, the code of an error, or `silence` after `patience` ms without
// progress; and how many of the bytes the network took.
import { connect } from 'node:net'

export type Talk = {
  readonly to: string
  readonly port: number
  readonly bytes: number
  readonly end: boolean
  readonly patience: number
}
export type Talked = { readonly received: string; readonly how: string; readonly taken: number }

const { to, port, bytes, end, patience } = JSON.parse(process.argv[2] ?? '{}') as Talk

const socket = connect({ host: to, port, allowHalfOpen: true })
let received = ''
const over = new Promise<string>((resolve) => {
  socket.setEncoding('utf8').on('data', (text: string) => (received += text))
  socket.on('end', () => resolve('end')).on('error', ({ code }: NodeJS.ErrnoException) => resolve(code ?? 'error'))
  socket.setTimeout(patience, () => resolve('silence'))
})
const write = async (): Promise<void> => {
  const chunk = Buffer.alloc(65_536, 'x')
  for (let left = bytes; left > 0 && !socket.destroyed; left -= chunk.length) {
    if (!socket.write(chunk.subarray(0, left))) await new Promise((resolve) => socket.once('drain', resolve))
  }
  if (end) socket.end()
}
void write()
const how = await over
const talked: Talked = { received, how, taken: socket.bytesWritten - socket.writableLength }
process.stdout.write(JSON.stringify(talked), () => process.exit(0))
