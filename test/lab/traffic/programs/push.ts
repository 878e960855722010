// A UDP server that keeps sending: node push.ts NAME PORT
import { createSocket } from 'node:dgram'
import type { Echo } from '../protocol.ts'

const [host = '', port = ''] = process.argv.slice(2)
const every = 50
const most = 1200

const socket = createSocket({ type: 'udp6', ipv6Only: false })
socket.on('message', (data, peer) => {
  const answer: Echo = { host, peer: peer.address.replace(/^::ffff:/, ''), peerPort: peer.port, data: data.toString() }
  const message = JSON.stringify(answer)
  let sent = 0
  const timer = setInterval(() => {
    socket.send(message, peer.port, peer.address)
    sent += 1
    if (sent >= most) clearInterval(timer)
  }, every)
  socket.send(message, peer.port, peer.address)
})
// A client that is gone causes ICMP errors, which do not matter here.
socket.on('error', () => {})
socket.bind(Number(port), () => console.log('ready'))
