// Runs as a separate process: node flood.ts JSON, of { to, port, from, ports: [first, last], atOnce }
// Sends one datagram from each of the ports of each address in `from` to an echo server, so many of them at once, and
// waits ten seconds for the answer. Prints { sent, answered } as JSON.
import { createSocket } from 'node:dgram'
import { isIPv6 } from 'node:net'

export type Flood = {
  readonly to: string
  readonly port: number
  readonly from: readonly string[]
  readonly ports: readonly [number, number]
  readonly atOnce: number
}

const { to, port, from, ports, atOnce } = JSON.parse(process.argv[2] ?? '{}') as Flood
let [sent, answered] = [0, 0]

function one(address: string, localPort: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(to) ? 'udp6' : 'udp4')
    const finish = (): void => {
      clearTimeout(late)
      socket.close()
      resolve()
    }
    const late = setTimeout(finish, 10_000)
    socket.on('error', finish).on('message', () => {
      answered += 1
      finish()
    })
    socket.bind({ address, port: localPort, exclusive: true }, () => {
      sent += 1
      socket.send('flood', port, to)
    })
  })
}

function* sources(): Generator<readonly [string, number]> {
  for (const address of from) for (let n = ports[0]; n <= ports[1]; n += 1) yield [address, n]
}

const all = sources()
const lane = async (): Promise<void> => {
  for (const [address, localPort] of all) await one(address, localPort)
}
await Promise.all(Array.from({ length: atOnce }, lane))
console.log(JSON.stringify({ sent, answered }))
