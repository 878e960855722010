// Runs as a separate process: node backend.ts HTTP_PORT TCP_PORT
// Answers HTTP with the request as it came, and TCP with the first line or 12 bytes that came.
import { createServer as createHttpServer } from 'node:http'
import { createServer } from 'node:net'

const [web = '', bytes = ''] = process.argv.slice(2)

createHttpServer(({ url, headers }, response) => response.end(JSON.stringify({ url, headers }))).listen(Number(web))
createServer((socket) => {
  socket.on('error', () => {})
  socket.once('data', (data) => socket.end(data))
}).listen(Number(bytes), () => console.log('listening'))
