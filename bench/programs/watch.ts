// Runs in a host: node watch.ts JSON, of { name, path, seconds }
// Prints `ready`; after SIGUSR1 it requests a page of an HTTPS site repeatedly for this many seconds, over one
// connection while that lasts. Prints `AT TEXT` for each page that differs from the previous one, AT in ms since 1970.
import { once } from 'node:events'
import { Agent, request } from 'node:https'
import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

type Settings = { name: string; path: string; seconds: number }
const { name, path, seconds } = JSON.parse(process.argv[2] ?? '{}') as Settings

/** Milliseconds between two requests. */
const pause = 2
/**
 * The time limit of a connection, after which a new one is opened: TCP repeats a packet to a node that does not exist
 * yet only much later.
 */
const connecting = 250
/** The time limit of an answer; the certificate may have to be issued first. */
const patience = 60_000

const agent = new Agent({ keepAlive: true, maxSockets: 1 })

function ask(): Promise<string | undefined> {
  return new Promise((resolve) => {
    const none = (): void => resolve(undefined)
    const asking = request({ host: name, path, family: 4, agent }, (answer) => {
      answer
        .toArray()
        .then((chunks) => resolve(answer.statusCode === 200 ? String(Buffer.concat(chunks)) : undefined), none)
    })
    const giveUp = (): unknown => asking.destroy(new Error('no answer'))
    asking.on('socket', (socket: Socket) => {
      if (!socket.connecting) return
      const late = setTimeout(giveUp, connecting)
      socket.once('connect', () => clearTimeout(late)).once('close', () => clearTimeout(late))
    })
    asking.on('error', none).setTimeout(patience, giveUp).end()
  })
}

// A signal listener does not keep the process running.
const signalled = Promise.race([once(process, 'SIGUSR1'), delay(patience)])
console.log('ready')
await signalled
const begun = performance.now()
let last: string | undefined
while (performance.now() - begun < seconds * 1000) {
  const text = await ask()
  if (text !== undefined && text !== last) {
    console.log(`${performance.timeOrigin + performance.now()} ${text}`)
    last = text
  }
  await delay(pause)
}
