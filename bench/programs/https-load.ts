// Runs inside a host: node https-load.ts JSON, of { to, name, crowd, seconds, kept }
// Asks the site `name` at an address for its page for so many seconds, `crowd` requests under way at any time: over as
// many connections that are kept, or each over a new one, whose TLS resumes no earlier one. Prints as JSON
// { times, failed, elapsed, processor }: the milliseconds of each answer and how many were none, but for those asked in
// the first tenth of the time; seconds of the rest; and the share of one processor that this program took.
import { Agent, request } from 'node:https'

type Settings = { to: string; name: string; crowd: number; seconds: number; kept: boolean }
const { to, name, crowd, seconds, kept } = JSON.parse(process.argv[2] ?? '{}') as Settings

/** More requests than this are not made: there are not more ports for new connections. */
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
// An exit would cut off what the pipe has not taken yet.
process.stdout.write(JSON.stringify({ times, failed, elapsed: (end - counting) / 1000, processor }), () =>
  process.exit(0),
)
