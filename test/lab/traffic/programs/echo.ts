// Runs in a host: node echo.ts NAME PORT…
// Answers every line (TCP) and datagram (UDP), in both families if the host has them, with a JSON object.
import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'
import type { Echo } from '../protocol.ts'

const [name = '', ...ports] = process.argv.slice(2)

/** A socket for each family shows clients' addresses as they are, and not IPv4-mapped. */
const families = [
  { udp: 'udp4', any: '0.0.0.0' },
  { udp: 'udp6', any: '::' },
] as const

function answer(peer: string, peerPort: number, data: string): string {
  return JSON.stringify({ host: name, peer, peerPort, data } satisfies Echo)
}

function listenTcp(host: string, port: number): Promise<boolean> {
  const server = createServer({ noDelay: true }, (socket) => {
    const { remoteAddress = '', remotePort = 0 } = socket
    let rest = ''
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) socket.write(`${answer(remoteAddress, remotePort, line)}\n`)
    })
    socket.on('error', () => socket.destroy())
  })
  return new Promise((resolve) => {
    server.once('error', () => resolve(false)).listen({ host, port, ipv6Only: host === '::' }, () => resolve(true))
  })
}

function listenUdp(type: 'udp4' | 'udp6', host: string, port: number): Promise<boolean> {
  const socket = createSocket({ type, ipv6Only: type === 'udp6', recvBufferSize: 1 << 20 })
  socket.on('message', (message, peer) => {
    socket.send(answer(peer.address, peer.port, message.toString()), peer.port, peer.address)
  })
  return new Promise((resolve) => {
    socket.once('error', () => resolve(false))
    socket.bind(port, host, () => {
      // Later errors are those of one answer, whose client is gone.
      socket.removeAllListeners('error').on('error', () => undefined)
      resolve(true)
    })
  })
}

for (const port of ports.map(Number)) {
  for (const { udp, any } of families) {
    const [tcp, datagrams] = [await listenTcp(any, port), await listenUdp(udp, any, port)]
    if (tcp !== datagrams) throw new Error(`port ${port} of ${any} is taken`)
    if (tcp) console.log(`listening on ${any} port ${port}`)
  }
}
console.log('ready')
