// Runs in a host: node served.ts ADDRESS…
// Servers behind a node of the tailnet: HTTP on 127.0.0.1 port 3000, which answers with the request's headers, and UDP
// on port 53 of the addresses, which answers as the echo server does.
import { createSocket } from 'node:dgram'
import { createServer } from 'node:http'
import { isIPv6 } from 'node:net'
import type { Echo } from '../../../lab/traffic/protocol.ts'

for (const address of process.argv.slice(2)) {
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4')
  socket.on('message', (data, peer) => {
    const answer: Echo = { host: 'served', peer: peer.address, peerPort: peer.port, data: data.toString() }
    socket.send(JSON.stringify(answer), peer.port, peer.address)
  })
  await new Promise<void>((resolve) => socket.bind(53, address, resolve))
}
const server = createServer(({ headers }, response) => response.end(JSON.stringify(headers)))
server.listen(3000, '127.0.0.1', () => console.log('ready'))
