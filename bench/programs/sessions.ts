// Runs in a host: node sessions.ts JSON, of { to, port, count }
// Sends a datagram from each of `count` sockets to an echo server, and prints `ready` when all were answered. The
// sockets stay open. A datagram is sent at most five times; exit code 1 if one of them was never answered.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'

type Settings = { to: string; port: number; count: number }
const { to, port, count } = JSON.parse(process.argv[2] ?? '{}') as Settings

const lanes = 32
let begun = 0

async function one(): Promise<void> {
  const socket = createSocket('udp4')
  socket.connect(port, to)
  await once(socket, 'connect')
  const answer = once(socket, 'message')
  for (let attempt = 0; attempt < 5; attempt += 1) {
    socket.send('x')
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), 1000)
    })
    const first = await Promise.race([answer, late])
    clearTimeout(timer)
    if (first !== 'late') return
  }
  throw new Error(`no answer from ${to}`)
}

async function lane(): Promise<void> {
  while (begun < count) {
    begun += 1
    await one()
  }
}

await Promise.all(Array.from({ length: lanes }, lane))
console.log('ready')
