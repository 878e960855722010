import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { json } from 'node:stream/consumers'
import type { Host } from '../../test/lab/hosts/host.ts'
import { poll } from '../../test/lab/poll.ts'
import { echoPort, startBackend } from '../backend.ts'
import type { BenchBed } from '../bench-bed.ts'
import type { Contestant } from '../contestant.ts'
import { Proxy } from '../proxy.ts'
import type { Section } from '../section.ts'
import { arrivalAfter } from './arrival.ts'

const name = 'web.cluster.test'
/** Seconds: the least for which the agent keeps an answer. */
const ttl = 5

/** How soon connections follow a name whose address changes, `repeats` times. */
export async function measureByName(
  bed: BenchBed,
  agent: Contestant,
  repeats: number,
  note: (detail: string) => void,
): Promise<Section> {
  await startBackend(bed)
  const leadTo = async (host: 'backend' | 'upstream'): Promise<void> => {
    const records = [{ name, type: 'A', value: String(bed.host(host).address.v4), ttl }]
    await bed.control.putUnderlay({ mode: 'normal', records })
  }
  // Nothing listens there, so connections are refused.
  await leadTo('upstream')
  const env = { ...agent.env, TS_DEST_IP: '', TS_EXPERIMENTAL_DEST_DNS_NAME: name }
  await using proxy = await Proxy.start(bed, { ...agent, env }, 'v4')
  const to = { to: await proxy.address('v4'), port: echoPort }
  const [whole, own]: [number[], number[]] = [[], []]
  for (let repeat = 1; repeat <= repeats; repeat += 1) {
    note(`${repeat} of ${repeats}`)
    const { took, at } = await arrivalAfter(bed.host('client'), to, () => leadTo('backend'))
    whole.push(took)
    own.push(at - (await resolvedAt(bed.host(agent.name))))
    await leadTo('upstream')
    const rule = `--to-destination ${bed.host('upstream').address.v4}`
    await poll('the way back', async () => {
      const { stdout } = await bed.host(agent.name).exec(['iptables-save', '-t', 'nat'])
      return stdout.includes(rule) || undefined
    })
  }
  return {
    title: 'A name’s address changes, with iptables',
    against: 'upstream',
    rows: [
      { ...row, what: 'DNS change until connections follow', ours: whole },
      { ...row, what: 'of which after the agent had the answer', ours: own },
    ],
    note:
      `L3 ingress by name (\`TS_EXPERIMENTAL_DEST_DNS_NAME\`): another address at the DNS server, whose answers are valid ` +
      `for ${ttl} s, until a client in the tailnet, which tries each millisecond, reaches the new backend. Most of it is the ` +
      'rest of those seconds. Upstream’s agent asks every ten minutes.',
  }
}

const row = { unit: 'ms', better: 'less', other: [] } as const

/** When the agent in a host had its last answer, in milliseconds since 1970. */
async function resolvedAt(host: Host): Promise<number> {
  const asking = request({ socketPath: host.path('/tmp/culvert.sock'), path: '/status', agent: false }).end()
  const [answer] = (await once(asking, 'response')) as [IncomingMessage]
  const { dns } = (await json(answer)) as { readonly dns: { readonly resolvedAt: string } }
  return Date.parse(dns.resolvedAt)
}
