import { setTimeout as delay } from 'node:timers/promises'
import { CulvertError } from '../../../lib/errors.ts'
import { ask, type Answer } from '../bed.ts'
import type { Pod } from '../cluster/pods.ts'
import { domain } from '../control-server.ts'
import type { Echo } from '../traffic/protocol.ts'
import type { Question } from '../traffic/traffic.ts'
import { byFamily } from './backend.ts'
import { shown } from './reach.ts'
import type { DemoBed, Show } from './variant.ts'

const tries = 20

/** What the operator's other proxies carry: an Ingress, a Service of egress, and a Connector. */
export const further = (bed: DemoBed): readonly Show[] => [
  {
    what: 'HTTPS: client → Ingress wiki → site',
    show: async () => {
      const site = { to: `wiki.${domain}`, protocol: 'https' } as const
      const { host, took } = await again(() => fromClient(bed, site))
      return { title: 'HTTPS, Ingress', from: `${host} through ${site.to}`, came: 'its page', saw: '', took }
    },
  },
  {
    what: 'TCP: a Pod → Service warehouse → the host warehouse of the tailnet',
    show: async () => shown('TCP, egress', 'warehouse.default', await again(() => fromPod(bed))),
  },
  {
    what: 'TCP: client → Connector pods → a Pod by its own address',
    show: async () => {
      const pod = await bed.cluster.get<Pod>('pod', 'backend')
      const { v4 } = byFamily((pod?.status.podIPs ?? []).map(({ ip }) => ip))
      const answer = await again(() => fromClient(bed, { to: v4, protocol: 'tcp', data: 'hello by a route' }))
      return shown('TCP, Connector', v4, answer)
    },
  },
]

const fromClient = (bed: DemoBed, question: Question): Promise<Answer> => ask(bed.host('client'), question)

/** Asks from a Pod of the cluster, by the name of the Service. */
async function fromPod({ cluster }: DemoBed): Promise<Answer> {
  const started = performance.now()
  const command = ['sh', '-c', 'echo "hello from the cluster" | nc -w 10 warehouse.default 7000']
  const { stdout } = await cluster.kubectl(['exec', 'backend', '--', ...command])
  return { ...(JSON.parse(stdout) as Echo), took: performance.now() - started }
}

/** Two nodes that have not communicated yet first find a path, and a route or a name may not be known at once. */
async function again(action: () => Promise<Answer>): Promise<Answer> {
  for (let left = tries; ; left -= 1) {
    try {
      return await action()
    } catch (error) {
      if (left === 1 || !(error instanceof CulvertError)) throw error
      await delay(1000)
    }
  }
}
