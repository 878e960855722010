// Runs as a separate process: node peculiar.ts FIRST-PORT
// A backend with a port for each way in which one may behave: FIRST-PORT answers with the number of bytes only once the
// client has ended its half; the next one resets the connection at the first bytes, after a part of an answer; the last
// one accepts, and never reads or answers.
import { createServer, type Socket } from 'node:net'

const first = Number(process.argv[2])

const answersAtEnd = (socket: Socket): void => {
  let bytes = 0
  socket.on('data', (data) => (bytes += data.length)).on('end', () => socket.end(`${bytes} bytes`))
}

const resets = (socket: Socket): void => {
  socket.once('data', () => socket.write('half an ans', () => socket.resetAndDestroy()))
}

const hangs = (socket: Socket): void => void socket.pause()

for (const [index, handle] of [answersAtEnd, resets, hangs].entries()) {
  const options = { allowHalfOpen: true, pauseOnConnect: handle === hangs }
  createServer(options, (socket) => handle(socket.on('error', () => {}))).listen(first + index, '::', () =>
    console.log(`listening on ${first + index}`),
  )
}
