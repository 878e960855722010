// Runs in a host: node ping-pong.ts JSON, of { protocol, to, port, bytes, seconds }
// Sends one message over an established connection, waits for it to come back, sends the next, for this many seconds.
// Prints { times, lost } as JSON: the milliseconds of each round trip without the first tenth of the time, and the
// number of datagrams that did not come back within 200 ms.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, isIPv6 } from 'node:net'

type Settings = { protocol: 'tcp' | 'udp'; to: string; port: number; bytes: number; seconds: number }
const { protocol, to, port, bytes, seconds } = JSON.parse(process.argv[2] ?? '{}') as Settings

/** The maximum number of round trips, whatever the time. */
const most = 200_000

type Channel = { send: (message: Buffer) => void; onMessage: (listener: (data: Buffer) => void) => void }

async function open(): Promise<Channel> {
  if (protocol === 'udp') {
    const socket = createSocket(isIPv6(to) ? 'udp6' : 'udp4')
    socket.connect(port, to)
    await once(socket, 'connect')
    return { send: (message) => socket.send(message), onMessage: (listener) => socket.on('message', listener) }
  }
  const socket = connect({ host: to, port, noDelay: true })
  await once(socket, 'connect')
  return { send: (message) => socket.write(message), onMessage: (listener) => socket.on('data', listener) }
}

const channel = await open()
const message = Buffer.alloc(bytes)
const begun = performance.now()
const [counting, ending] = [begun + seconds * 100, begun + seconds * 1000]
const times: number[] = []
let [sequence, sent, got, lost] = [0, 0, 0, 0]
let patience: NodeJS.Timeout | undefined

function next(): void {
  if (performance.now() >= ending || sequence >= most) {
    clearInterval(patience)
    // An exit would cut off what the pipe has not accepted yet.
    process.stdout.write(JSON.stringify({ times, lost }), () => process.exit(0))
    return
  }
  sequence += 1
  message.writeUInt32BE(sequence)
  got = 0
  sent = performance.now()
  channel.send(message)
}

channel.onMessage((data) => {
  // A late answer belongs to an earlier round.
  if (protocol === 'udp' && data.readUInt32BE() !== sequence) return
  got += data.length
  if (got < bytes) return
  const now = performance.now()
  if (sent >= counting) times.push(now - sent)
  patience?.refresh()
  next()
})

patience = setInterval(() => {
  if (protocol === 'tcp') return
  lost += 1
  next()
}, 200)
next()
