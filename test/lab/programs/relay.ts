// Runs in a network of a bed: node relay.ts FROM TO
// Both are what Node's net takes, as JSON: {"path": SOCKET} or {"host": HOST, "port": PORT}.
// Passes on each connection, and prints a line when it listens.
import { connect, createServer, type ListenOptions, type NetConnectOpts } from 'node:net'

const [from = '', to = ''] = process.argv.slice(2)
createServer((near) => {
  const far = connect(JSON.parse(to) as NetConnectOpts)
  near.pipe(far).pipe(near)
  near.on('error', () => far.destroy())
  far.on('error', () => near.destroy())
}).listen(JSON.parse(from) as ListenOptions, () => console.log('listening'))
