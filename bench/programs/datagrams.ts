// Runs in a host: node datagrams.ts JSON, of { to, port, bytes, window, seconds }
// Keeps `window` datagrams on their way to an echo server and back, all from one socket, for this many seconds. Prints
// { answered, lost, elapsed } as JSON, elapsed in seconds: each answer, and each 200 ms without one, sends the next.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { isIPv6 } from 'node:net'

type Settings = { to: string; port: number; bytes: number; window: number; seconds: number }
const { to, port, bytes, window, seconds } = JSON.parse(process.argv[2] ?? '{}') as Settings

const socket = createSocket(isIPv6(to) ? 'udp6' : 'udp4')
socket.connect(port, to)
await once(socket, 'connect')

/** The sequence numbers of those on their way, and when each was sent; oldest first. */
const underWay = new Map<number, number>()
let [sequence, answered, lost] = [0, 0, 0]

function send(): void {
  sequence += 1
  const message = Buffer.alloc(bytes)
  message.writeUInt32BE(sequence)
  underWay.set(sequence, performance.now())
  socket.send(message)
}

socket.on('message', (message) => {
  // Given up already if it is late.
  if (!underWay.delete(message.readUInt32BE())) return
  answered += 1
  send()
})
setInterval(() => {
  const since = performance.now() - 200
  for (const [number, sent] of underWay) {
    if (sent > since) return
    underWay.delete(number)
    lost += 1
    send()
  }
}, 50)

const begun = performance.now()
for (let n = 0; n < window; n += 1) send()
setTimeout(() => {
  const elapsed = (performance.now() - begun) / 1000
  process.stdout.write(JSON.stringify({ answered, lost, elapsed }), () => process.exit(0))
}, seconds * 1000)
