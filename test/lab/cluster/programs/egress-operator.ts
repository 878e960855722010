// Runs in a host of the cluster, with a service account: node egress-operator.ts SETTINGS
// Maintains the EndpointSlices and the readiness gate of an egress ProxyGroup as operators do, until it is ended.
// Prints each change that it makes.
import { readFileSync } from 'node:fs'
import { get } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { type ClusterService, entryOf, type EgressStatus, type Replica, slicesOf } from '../egress-slices.ts'
import type { EgressEntry } from '../egress-services.ts'
import type { KubeObject } from '../kubectl.ts'
import type { Pod } from '../pods.ts'

/** `retry`: milliseconds after which a Pod that has not passed the gate is looked at again. */
export type OperatorSettings = { readonly api: string; readonly group: string; readonly retry: number }

const { api, group, retry } = JSON.parse(process.argv[2] ?? '{}') as OperatorSettings
const account = '/var/run/secrets/kubernetes.io/serviceaccount'
const [token, namespace] = ['token', 'namespace'].map((file) => readFileSync(`${account}/${file}`, 'utf8'))
const gate = 'tailscale.com/egress-services'
const core = `/api/v1/namespaces/${namespace}`
const slices = `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`
const ofGroup = `labelSelector=tailscale.com/parent-resource-type=proxygroup,tailscale.com/parent-resource=${group}`
const ofServices = `labelSelector=tailscale.com/svc-type=egress,tailscale.com/proxy-group=${group}`

async function call(path: string, { method = 'GET', body, type = 'application/json' }: Call = {}): Promise<Response> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': type }
  const answer = await fetch(api + path, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) })
  if (answer.ok) return answer
  throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
}
type Call = { readonly method?: string; readonly body?: object; readonly type?: string }

const read = async <T>(path: string): Promise<T> => (await (await call(path)).json()) as T
const list = async <T>(path: string): Promise<T[]> => (await read<{ items: T[] }>(path)).items

type Encoded = KubeObject & { readonly data?: Record<string, string>; readonly binaryData?: Record<string, string> }

const decoded = (text = ''): unknown => JSON.parse(Buffer.from(text, 'base64').toString() || '{}')

async function replicas(): Promise<Replica[]> {
  const [pods, secrets] = await Promise.all([
    list<Pod>(`${core}/pods?${ofGroup}`),
    list<Encoded>(`${core}/secrets?${ofGroup},tailscale.com/secret-type=state`),
  ])
  const texts = new Map(secrets.map(({ metadata, data }) => [metadata.name, data?.['egress-services']]))
  return pods.map((pod) => ({ pod, status: decoded(texts.get(pod.metadata.name)) as EgressStatus }))
}

const services = () => list<ClusterService>(`${core}/services?${ofServices}`)

const applied = new Map<string, string>()

async function keepSlices(): Promise<void> {
  const [found, all, config] = await Promise.all([
    services(),
    replicas(),
    read<Encoded>(`${core}/configmaps/${group}-egress-config`),
  ])
  const entries = decoded(config.binaryData?.['egress-services']) as Record<string, EgressEntry>
  const wanted = found.flatMap((service) => slicesOf(service, entries[entryOf(service)], all))
  for (const slice of wanted) {
    const name = slice.metadata.name!
    const text = JSON.stringify(slice)
    if (applied.get(name) === text) continue
    const where = `${slices}/${name}?fieldManager=egress-operator&force=true`
    await call(where, { method: 'PATCH', body: slice, type: 'application/apply-patch+yaml' })
    applied.set(name, text)
    const endpoints = slice['endpoints'] as { addresses: string[] }[]
    console.log(`${name}: ${endpoints.flatMap(({ addresses }) => addresses).join(' ') || 'no endpoints'}`)
  }
  const names = new Set(wanted.map(({ metadata }) => metadata.name))
  for (const name of [...applied.keys()].filter((one) => !names.has(one))) {
    await call(`${slices}/${name}`, { method: 'DELETE' })
    applied.delete(name)
    console.log(`${name}: deleted`)
  }
}

/** Whether there are Pods that have not passed the gate. */
async function keepGates(): Promise<boolean> {
  const [found, all] = await Promise.all([services(), replicas()])
  const waiting = all
    .map(({ pod }) => pod)
    .filter(({ metadata, status }) => {
      const passed = status.conditions?.some((condition) => condition.type === gate && condition.status === 'True')
      return passed !== true && status.podIPs !== undefined && metadata['deletionTimestamp'] === undefined
    })
  const passed = await Promise.all(
    waiting.map(async (pod) => {
      const routed = await Promise.all(found.map((service) => leadsTo(service, pod, 3 * all.length)))
      if (routed.includes(false)) return false
      const condition = { type: gate, status: 'True', lastTransitionTime: new Date().toISOString() }
      const type = 'application/strategic-merge-patch+json'
      const body = { status: { conditions: [condition] } }
      await call(`${core}/pods/${pod.metadata.name}/status`, { method: 'PATCH', body, type })
      console.log(`${pod.metadata.name}: passes the gate`)
      return true
    }),
  )
  return passed.includes(false)
}

/** Whether one of this many new connections to the Service's health port is answered by the Pod. */
async function leadsTo({ spec }: ClusterService, pod: Pod, times: number): Promise<boolean> {
  const { port } = spec.ports.find(({ name }) => name === 'tailscale-health-check')!
  const [clusterIp = ''] = spec.clusterIPs
  const host = clusterIp.includes(':') ? `[${clusterIp}]` : clusterIp
  const [{ ip }] = pod.status.podIPs as [{ ip: string }]
  for (let time = 0; time < times; time += 1) {
    const answer = await health(`http://${host}:${port}/healthz`)
    if (answer?.status === 200 && (answer.pod === undefined || answer.pod === ip)) return true
    if (answer?.status !== 200) await delay(500)
  }
  return false
}

type Health = { readonly status: number; readonly pod: string | undefined }

function health(url: string): Promise<Health | undefined> {
  return new Promise((resolve) => {
    const asked = get(url, { agent: false, timeout: 3000 }, (answer) => {
      const { 'pod-ipv4': v4, 'pod-ipv6': v6 } = answer.headers as Record<string, string | undefined>
      answer.resume()
      resolve({ status: answer.statusCode ?? 0, pod: v4 ?? v6 })
    })
    asked.on('timeout', () => asked.destroy())
    asked.on('error', () => resolve(undefined))
  })
}

let woken = Promise.withResolvers<void>()
function wake(): void {
  const before = woken
  woken = Promise.withResolvers()
  before.resolve()
}

/** Wakes at each event. Watches end, and the API server may be restarted. */
async function watch(path: string): Promise<never> {
  for (;;) {
    try {
      const { body } = await call(path)
      for await (const _ of body!) wake()
    } catch (error) {
      console.log(`watch: ${String(error)}`)
      await delay(500)
    }
    wake()
  }
}

/** Does its work at each event, and `retry` ms after it failed or was incomplete. */
async function keep(work: () => Promise<boolean | void>): Promise<never> {
  for (;;) {
    const event = woken.promise
    let again = true
    try {
      again = (await work()) === true
    } catch (error) {
      console.log(`error: ${String(error)}`)
    }
    await (again ? Promise.race([event, delay(retry)]) : event)
  }
}

console.log('started')
await Promise.race([
  keep(keepSlices),
  keep(keepGates),
  watch(`${core}/pods?watch=1&${ofGroup}`),
  watch(`${core}/secrets?watch=1&${ofGroup},tailscale.com/secret-type=state`),
  watch(`${core}/services?watch=1&${ofServices}`),
  watch(`${core}/configmaps?watch=1&${ofGroup}`),
])
