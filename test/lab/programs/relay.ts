// Runs in a network of a bed: node relay.ts SOCKET HOST PORT
// Passes on each connection to the unix socket, and prints a line when it listens.
import { connect, createServer } from 'node:net'

const [socket = '', host = '', port = ''] = process.argv.slice(2)
createServer((near) => {
  const far = connect(Number(port), host)
  near.pipe(far).pipe(near)
  near.on('error', () => far.destroy())
  far.on('error', () => near.destroy())
}).listen(socket, () => console.log('listening'))
