// Runs in a host: node echo.ts PORT
// Echoes over TCP and UDP, IPv4 and IPv6.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'

const port = Number(process.argv[2])

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('data', (data) => socket.write(data)).on('error', () => socket.destroy())
})
await once(server.listen({ port, host: '::', backlog: 4096 }), 'listening')

for (const [type, address] of [
  ['udp4', '0.0.0.0'],
  ['udp6', '::'],
] as const) {
  const socket = createSocket({ type, ipv6Only: type === 'udp6' })
  socket.on('message', (message, from) => socket.send(message, from.port, from.address))
  socket.bind(port, address)
  await once(socket, 'listening')
}
console.log('ready')
