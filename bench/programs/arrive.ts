// Runs in a host: node arrive.ts JSON, of { to, port }
// Opens TCP connections, one after the other. Prints `refused` after the first one that is refused, then, once one is
// accepted, the time at which that one was begun, in ms since 1970, and ends.
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

type Settings = { to: string; port: number }
const { to, port } = JSON.parse(process.argv[2] ?? '{}') as Settings

/** Milliseconds between two attempts. */
const pause = 1
/** The time limit of an attempt, since TCP repeats a lost packet only much later. */
const patience = 250

const attempt = (): Promise<'accepted' | 'refused' | 'lost'> =>
  new Promise((resolve) => {
    const socket = connect({ host: to, port }, () => {
      socket.resetAndDestroy()
      resolve('accepted')
    })
    socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code === 'ECONNREFUSED' ? 'refused' : 'lost'))
    socket.setTimeout(patience, () => {
      socket.destroy()
      resolve('lost')
    })
  })

for (let refused = false; ; await delay(pause)) {
  const begun = performance.timeOrigin + performance.now()
  const how = await attempt()
  if (how === 'refused' && !refused) console.log('refused')
  if (how === 'refused') refused = true
  if (how === 'accepted' && refused) {
    console.log(begun)
    break
  }
}
