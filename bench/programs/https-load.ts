// Runs in a host: node https-load.ts JSON, of { to, name, crowd, seconds, kept }
// Requests the page of the site `name` at an address for this many seconds, `crowd` requests at a time: over as many
// persistent connections, or each over a new one, without TLS session resumption. Prints as JSON { times, failed,
// elapsed, processor }: the milliseconds of each answer and the number of failures, without the first tenth of the
// time; the seconds of the rest; and the share of one CPU that this program used.
import { Agent, request } from 'node:https'

type Settings = { to: string; name: string; crowd: number; seconds: number; kept: boolean }
const { to, name, crowd, seconds, kept } = JSON.parse(process.argv[2] ?? '{}') as Settings

/** The maximum number of requests, limited by the number of ports for new connections. */
const most = kept ? 200_000 : 20_000
const patience = 5000

const agent = new Agent({ keepAlive: kept, maxSockets: crowd, maxCachedSessions: 0 })
const begun = performance.now()
const [counting, ending] = [begun + seconds * 100, begun + seconds * 1000]
const times: number[] = []
let [sent, failed] = [0, 0]

function one(): Promise<boolean> {
  return new Promise((resolve) => {
    const asking = request({ host: to, servername: name, headers: { Host: name }, agent }, (answer) => {
      answer
        .on('end', () => resolve(answer.statusCode === 200))
        .on('error', () => resolve(false))
        .resume()
    })
    asking
      .on('error', () => resolve(false))
      .setTimeout(patience, () => asking.destroy(new Error('no answer')))
      .end()
  })
}

async function lane(): Promise<void> {
  while (performance.now() < ending && sent < most) {
    sent += 1
    const start = performance.now()
    const good = await one()
    if (start < counting) continue
    if (good) times.push(performance.now() - start)
    else failed += 1
  }
}

await Promise.all(Array.from({ length: crowd }, lane))
const end = performance.now()
const { user, system } = process.cpuUsage()
const processor = (user + system) / 1000 / end
// An exit would cut off what the pipe has not accepted yet.
process.stdout.write(JSON.stringify({ times, failed, elapsed: (end - counting) / 1000, processor }), () =>
  process.exit(0),
)
