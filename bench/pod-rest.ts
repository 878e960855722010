import { setTimeout as delay } from 'node:timers/promises'
import { alternate } from './alternate.ts'
import { secretRequests, type SecretRequests } from './api-requests.ts'
import type { HostMemory } from './memory.ts'
import { type Side, sides } from './pair.ts'
import { type PodSetup, PodProxy } from './pod.ts'
import { type Memory, memoryOf, memoryRows } from './process-memory.ts'
import type { Row, Section } from './section.ts'

type Rest = {
  readonly memory: Memory
  /** The number of requests of all clients, extrapolated to an hour. */
  readonly hourly: Pick<SecretRequests, 'all' | 'writes'>
  readonly watches: number
  /** Whether the Pod's own Secret has changed: 1, else 0. */
  readonly changed: number
}

export type RestSize = { readonly repeats: number; readonly idle: number; readonly rest: number }

/**
 * The cost of an idle Pod: memory after `idle` seconds, then its API requests for `rest` seconds, one Pod at a time.
 * `hosts`: the same processes without Kubernetes, measured as often.
 */
export async function measurePodRest(
  setup: PodSetup,
  hosts: HostMemory,
  { repeats, idle, rest }: RestSize,
  note: (detail: string) => void,
): Promise<Section[]> {
  const measured = await alternate(sides, repeats, async (side, repeat): Promise<Rest> => {
    note(`${side}, ${repeat + 1} of ${repeats}, ${idle + rest} s of idling`)
    await using proxy = await PodProxy.start(setup, side)
    await delay(idle * 1000)
    const memory = await memoryOf(await proxy.process())
    return { memory, ...(await asked(setup, proxy, rest)) }
  })
  const memory = (side: Side): Memory[] => measured[side].map((one) => one.memory)
  const row = (what: string, unit: string, pick: (one: Rest) => number): Row => ({
    what,
    unit,
    better: 'less',
    ours: measured.ours.map(pick),
    other: measured.upstream.map(pick),
  })
  return [
    {
      title: 'Memory of the agent’s process in a Pod',
      against: 'upstream',
      rows: memoryRows(memory('ours'), memory('upstream')),
      note:
        `Like without Kubernetes, but ${idle} s after the first answer to the client: state in a Secret, which ours watches, ` +
        'a probe each second.',
    },
    {
      title: 'Memory in a Pod compared with the same without Kubernetes',
      against: 'without Kubernetes',
      rows: memoryRows(memory('ours'), hosts.cached),
      note:
        'Ours in its Pod, compared with ours as measured without Kubernetes, with its state on disk. Both have a warm ' +
        'compile cache.',
    },
    {
      title: 'Memory in a Pod compared with a bare Node',
      against: 'bare Node',
      rows: [
        ...memoryRows(memory('ours'), hosts.bare),
        ...memoryRows(memory('ours'), hosts.lean, ', node:http without its ESM namespace'),
      ],
      note: 'Ours in its Pod, compared with the HTTP servers as measured without Kubernetes, with a warm compile cache.',
    },
    {
      title: 'API requests of an idle Pod',
      against: 'upstream',
      rows: [
        row('writes to Secrets', 'an hour', ({ hourly }) => hourly.writes),
        row('changes of its Secret', 'seen', ({ changed }) => changed),
        row('requests about Secrets', 'an hour', ({ hourly }) => hourly.all),
        row('watches of Secrets', 'open', ({ watches }) => watches),
      ],
      note:
        `Requests that the API server counted in ${rest} s (\`apiserver_request_total\`), extrapolated to an hour. They are ` +
        'those of all clients, with one proxy Pod at a time. A change is another `resourceVersion` of the Pod’s Secret ' +
        'afterwards. The open watches include those of kubelet and of the control plane; a watch counts as a request only ' +
        'when it ends, which ours does every five minutes.',
    },
  ]
}

async function asked({ bed }: PodSetup, proxy: PodProxy, seconds: number): Promise<Omit<Rest, 'memory'>> {
  const look = async (): Promise<SecretRequests> =>
    secretRequests((await bed.cluster.kubectl(['get', '--raw=/metrics'])).stdout)
  const version = await proxy.secretVersion()
  const begun = performance.now()
  const before = await look()
  await delay(seconds * 1000)
  const after = await look()
  const hours = (performance.now() - begun) / 3_600_000
  return {
    hourly: { all: (after.all - before.all) / hours, writes: (after.writes - before.writes) / hours },
    watches: after.watches,
    changed: (await proxy.secretVersion()) === version ? 0 : 1,
  }
}
