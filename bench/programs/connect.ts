// Runs in a host: node connect.ts JSON, of { to, port, crowd, seconds }
// Opens TCP connections for this many seconds, `crowd` of them at a time: each sends a byte, waits for it to come back,
// and is reset, so that no port stays in use. Prints { done, failed, elapsed } as JSON, elapsed in seconds.
import { connect } from 'node:net'

type Settings = { to: string; port: number; crowd: number; seconds: number }
const { to, port, crowd, seconds } = JSON.parse(process.argv[2] ?? '{}') as Settings

/** The maximum number of connections, limited by the number of ports. */
const most = 20_000

let [begunCount, done, failed] = [0, 0, 0]

function one(): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: to, port, noDelay: true }, () => socket.write('x'))
    const finish = (good: boolean): void => {
      if (!socket.destroyed) socket.resetAndDestroy()
      resolve(good)
    }
    socket.setTimeout(2000, () => finish(false))
    socket.once('data', () => finish(true))
    socket.once('error', () => finish(false))
  })
}

const begun = performance.now()

async function lane(): Promise<void> {
  while (performance.now() - begun < seconds * 1000 && begunCount < most) {
    begunCount += 1
    if (await one()) done += 1
    else failed += 1
  }
}

await Promise.all(Array.from({ length: crowd }, lane))
console.log(JSON.stringify({ done, failed, elapsed: (performance.now() - begun) / 1000 }))
