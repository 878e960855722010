import { readlinkSync } from 'node:fs'
import { isIPv4 } from 'node:net'
import { CulvertError } from '../lib/errors.ts'
import { backendObjects, proxyBase, proxyNamespace, proxyObjects } from '../test/lab/cluster/proxy.ts'
import { cpuOf } from '../test/lab/namespaces/cgroups.ts'
import { allPids, argvOf } from '../test/lab/namespaces/procs.ts'
import type { BenchBed } from './bench-bed.ts'
import type { Images } from './image.ts'
import { type Side, sides } from './pair.ts'
import { completeAt, type PodBed, scheduledAt, untilAnswered, untilReady } from './pod-times.ts'

/** A bed with a cluster for proxies, and the address to which they forward. */
export type PodSetup = { readonly bed: BenchBed; readonly images: Images; readonly target: string }

/** Milliseconds since the scheduler assigned the Pod to its node. */
export type PodStart = {
  /** Until the agent logged that start-up is complete. */
  readonly complete: number
  /** Until the Pod was Ready. */
  readonly ready: number
}

/** The command lines of the agents' processes. */
const program = { ours: '/usr/local/bin/node', upstream: '/usr/local/bin/containerboot' } as const
/** The readiness endpoint of each. */
export const readiness = { ours: '/readyz', upstream: '/healthz' } as const

/** A probe of the agent's listener. */
export const byHttp = (path: string) => ({ httpGet: { path, port: 9002 } })

/** As without Kubernetes, plus the endpoint for kubelet. */
const env = {
  TS_DEBUG_FIREWALL_MODE: 'nftables',
  TS_NO_LOGS_NO_SUPPORT: 'true',
  TS_ENABLE_HEALTH_CHECK: 'true',
} as const

/** Imports the images, and creates a backend behind a Service. */
export async function preparePods(bed: BenchBed, images: Images): Promise<PodSetup> {
  const { cluster } = bed
  for (const side of sides) await cluster.importImage(images[side].archive)
  await cluster.apply(...backendObjects('backend'), ...proxyBase())
  await cluster.wait('pod/backend', 'Ready')
  return { bed, images, target: await serviceAddress(bed, 'backend') }
}

/** The IPv4 address of a Service of the cluster. */
export async function serviceAddress({ cluster }: PodBed, name: string): Promise<string> {
  const service = await cluster.get<{ spec: { clusterIPs: string[] } }>('service', name)
  return service?.spec.clusterIPs.find((address) => isIPv4(address)) ?? ''
}

/** Returns once the objects of a proxy and its Pod are gone. */
export async function deleteProxy({ cluster }: PodBed, ...objects: readonly string[]): Promise<void> {
  const how = [`--namespace=${proxyNamespace}`, '--cascade=foreground', '--timeout=60s']
  await cluster.kubectl(['delete', ...objects, ...how], { timeout: 65_000 })
}

let made = 0

/** A side's image running as an operator's proxy Pod in front of the backend's Service. */
export class PodProxy implements AsyncDisposable {
  /** `answered`: until the backend answered the client, which sends its first request when the Pod is ready. */
  readonly started: PodStart & { readonly answered: number }
  readonly #bed: BenchBed
  readonly #side: Side
  readonly #name: string

  private constructor(bed: BenchBed, side: Side, name: string, started: PodProxy['started']) {
    this.#bed = bed
    this.#side = side
    this.#name = name
    this.started = started
  }

  /** Creates it, as a new node with a Secret of its own, and returns once the backend has answered through it. */
  static async start(
    { bed, images, target }: PodSetup,
    side: Side,
    probes: object = { readinessProbe: { ...byHttp(readiness[side]), periodSeconds: 1 } },
  ): Promise<PodProxy> {
    made += 1
    const name = `${side}-${made}`
    await bed.cluster.apply(
      ...proxyObjects({
        name,
        image: images[side].reference,
        authKey: await bed.authKey(),
        env: { ...env, TS_DEST_IP: target },
        container: probes,
      }),
    )
    const ready = await untilReady(bed, `${name}-0`)
    const answered = await untilAnswered(bed, `${name}-0`)
    const begun = await scheduledAt(bed, `${name}-0`)
    const complete = await completeAt(bed, `${name}-0`)
    const started = { complete: complete - begun, ready: ready - begun, answered: answered - begun }
    return new PodProxy(bed, side, name, started)
  }

  /** Deletes the Pod, which is recreated as the same node; returns once the new one is ready. */
  async restart(): Promise<PodStart> {
    await deleteProxy(this.#bed, `pod/${this.#pod}`)
    const ready = await untilReady(this.#bed, this.#pod)
    const begun = await scheduledAt(this.#bed, this.#pod)
    const complete = await completeAt(this.#bed, this.#pod)
    return { complete: complete - begun, ready: ready - begun }
  }

  /** The agent's process, as numbered on this side. */
  async process(): Promise<{ readonly pid: number; readonly name: string }> {
    const { network } = await this.#bed.cluster.pod(this.#pod, proxyNamespace)
    const inPod = networkOf(network)
    const pid = allPids().find((one) => argvOf(one)[0] === program[this.#side] && networkOf(one) === inPod)
    if (pid === undefined) throw new CulvertError('command', `${program[this.#side]} does not run in ${this.#pod}`)
    return { pid, name: this.#pod }
  }

  /** Milliseconds of CPU time of the Pod's containers, including everything that ran in them. */
  async cpu(): Promise<number> {
    const pod = await this.#bed.cluster.get('pod', this.#pod, proxyNamespace)
    return cpuOf(this.#bed.name, this.#bed.cluster.node().name, `pod${String(pod?.metadata['uid'])}`)
  }

  /** The version of the Pod's Secret. */
  async secretVersion(): Promise<unknown> {
    return (await this.#bed.cluster.get('secret', this.#pod, proxyNamespace))?.metadata['resourceVersion']
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await deleteProxy(this.#bed, `statefulset/${this.#name}`, `service/${this.#name}`, `secret/${this.#pod}`)
    await this.#bed.control.removeNode(this.#pod)
  }

  /** The name of the Pod, of its Secret, and of its node in the tailnet. */
  get #pod(): string {
    return `${this.#name}-0`
  }
}

/** The network namespace of a process; undefined when it has ended. */
function networkOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`)
  } catch {
    return undefined
  }
}
