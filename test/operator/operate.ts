import { type Bed, startBed } from '../lab/bed.ts'
import type { Cluster } from '../lab/cluster/cluster.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import { systemClock } from '../../lib/clock.ts'
import { publicMachineKey } from '../../wire/machine-key.ts'
import type { TailnetDevice, TailscaleService } from '../../operator/api/api.ts'
import { compose, type Parts } from '../../operator/compose.ts'
import type { ServiceApi } from '../../operator/group-ingress/vips.ts'
import type { Tailnet } from '../../operator/proxy/keying.ts'
import { ApiBed } from '../kube/controller/api-bed.ts'
import { settings } from './a-world.ts'
import { installOperator } from './operator-process.ts'
import { playAgents } from './played-agents.ts'
import { machineKeyFor } from './played-state.ts'

/** What the operator asks of a tailnet that is only played; `seen` is called before each call is done. */
export type Played = Tailnet &
  ServiceApi & {
    readonly calls: string[]
    /** What devices are besides those that agents play. */
    readonly devices: Map<string, Partial<TailnetDevice>>
  }

/** A device of which a played agent has the machine key. */
const played = (id: string): TailnetDevice => ({
  id,
  name: `${id}.lab.ts.net`,
  hostname: id,
  addresses: [],
  tags: [],
  machineKey: publicMachineKey(machineKeyFor(id)),
})

export function playedTailnet(seen: (call: string) => Promise<void> = async () => {}): Played {
  const calls: string[] = []
  const devices: Played['devices'] = new Map()
  const descriptions = new Map<string, string>()
  let keys = 0
  const services = new Map<string, TailscaleService>()
  const call = async (text: string): Promise<void> => {
    await seen(text)
    calls.push(text)
  }
  return {
    calls,
    devices,
    mintKey: async ({ tags, description }) => {
      keys += 1
      const id = `k${keys}`
      descriptions.set(id, description)
      await call(`mint ${tags.join(',')} ${description}`)
      return { id, key: `tskey-auth-${id}`, expires: undefined }
    },
    getKey: async (id) => ({ id, description: descriptions.get(id) ?? '' }),
    removeKey: (id) => call(`remove key ${id}`),
    getDevice: async (id) => ({ ...played(id), ...devices.get(id) }),
    removeDevice: (id) => call(`remove device ${id}`),
    getService: async (name) => services.get(name),
    listServices: async () => [...services.values()],
    putService: async (service) => {
      await call(`put ${service.name}`)
      const after = { ...service, addrs: [`100.101.0.${services.size + 1}`] }
      services.set(service.name, after)
      return after
    },
    removeService: async (name) => {
      await call(`remove ${name}`)
      services.delete(name)
    },
  }
}

/** Runs the operator in this process on a bed without nodes, whose agents are played. */
export async function operate(real: ApiBed, tailnet: Tailnet & ServiceApi, more: Partial<Parts> = {}) {
  const stop = new AbortController()
  const lines: string[] = []
  const agents = playAgents(real.direct, { namespace: settings.namespace, problem: (text) => lines.push(text) })
  const operator = compose(
    { api: real.api, tailnet, settings, log: ({ text }) => lines.push(text), clock: systemClock, ...more },
    stop.signal,
  )
  await Promise.all(operator.sources().map(({ synced }) => synced))
  return {
    agents,
    /** What it logs. */
    lines,
    /** What it says of faults in itself, or in the agents. */
    bugs: () => lines.filter((line) => line.includes('bug in the operator')),
    [Symbol.asyncDispose]: async () => {
      await Promise.all(operator.controllers.map(({ drain }) => drain(5000)))
      stop.abort()
      await agents[Symbol.asyncDispose]()
    },
  }
}

type Status = {
  readonly conditions?: readonly { type: string; status: string; reason: string; message: string }[]
  readonly [field: string]: unknown
}

/** An Ingress of the class `tailscale`, for the host of its name, which leads to the Service `backend`. */
export const ingress = (name: string, annotations: Readonly<Record<string, string>> = {}) => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { name, namespace: 'default', annotations },
  spec: {
    ingressClassName: 'tailscale',
    tls: [{ hosts: [name] }],
    defaultBackend: { service: { name: 'backend', port: { number: 80 } } },
  },
})

/** An object of our kinds. */
export const custom = (kind: string, name: string, spec: object, metadata: object = {}) => ({
  apiVersion: 'tailscale.com/v1alpha1',
  kind,
  metadata: { name, ...metadata },
  spec,
})

/** What kubectl shows of our kinds, and of what is made for Connectors. */
export class Shown {
  readonly #cluster: Cluster

  constructor({ cluster }: Bed) {
    this.#cluster = cluster
  }

  async status(kind: string, name: string): Promise<Status> {
    return ((await this.#cluster.get(kind, name))?.['status'] ?? {}) as Status
  }

  /** Reason and message of a condition. */
  async standing(name: string, kind = 'connector', type = 'ConnectorReady'): Promise<string> {
    const condition = (await this.status(kind, name)).conditions?.find((one) => one.type === type)
    return condition === undefined ? 'nothing' : `${condition.reason}: ${condition.message}`
  }

  async children(kind: string, name: string): Promise<KubeObject[]> {
    const selector = `tailscale.com/parent-resource=${name}`
    return await this.#cluster.list<KubeObject>(kind, settings.namespace, { selector })
  }
}

export const everything = 'statefulset,pod,secret,service,serviceaccount,role,rolebinding'

/** An API server without nodes, with what the operator needs in it. */
export async function startPlayed() {
  const bed = await startBed({ hosts: {}, cluster: { nodes: 0 } })
  const real = await ApiBed.start(bed)
  await installOperator(bed)
  const end = async (): Promise<void> => {
    await real[Symbol.asyncDispose]()
    await bed.down()
  }
  return { bed, real, shown: new Shown(bed), end }
}
