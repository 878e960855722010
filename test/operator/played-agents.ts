import { isDeepStrictEqual } from 'node:util'
import type { Api } from '../../kube/controller/api.ts'
import { controller, type Flight, trigger } from '../../kube/controller/controller.ts'
import { keyOf, type KubeObject } from '../../kube/controller/object.ts'
import { reflect } from '../../kube/controller/reflect.ts'
import type { Resource } from '../../kube/controller/resource.ts'
import { store } from '../../kube/controller/store.ts'
import { configMaps, pods, secrets, statefulSets } from '../../operator/objects/resources.ts'
import {
  encoded,
  isUpstreamRecorder,
  isTrue,
  madeUp,
  nextToReplace,
  ordinalOf,
  ownerKey,
  podAddresses,
  podOf,
  type PodSpec,
  readyOf,
  type StatefulSetSpec,
  statusOf,
  surplusOf,
  textsOf,
} from './played-pods.ts'
import { certificate, certificatesOf, type Replica, replicaChange } from './played-group.ts'
import { type Change, type Fault, joined, type Joined, onlyState, stepOf, type Texts } from './played-state.ts'

export { joinOf } from './played-join.ts'

export type PlayedAgentsOptions = {
  readonly namespace: string
  /** Has a node join, as the control server would; without it, nodes exist only in their Secrets. */
  readonly join?: (hostname: string, authKey: string) => Promise<Joined>
  readonly problem?: (text: string) => void
}

export type PlayedAgents = AsyncDisposable & {
  /** What goes wrong in a Pod from now on, by its name; `key-refused` ends with another key, the others with undefined. */
  readonly fault: (pod: string, fault: Fault | undefined) => void
  /** How many Pods run. */
  readonly running: () => number
}

/**
 * Plays what runs in a cluster without nodes: follows the StatefulSets of a namespace, creates their Pods, which exist
 * only as objects, and writes what the agents in them would write. Hundreds of workloads need no containers so.
 */
export function playAgents(api: Api, options: PlayedAgentsOptions): PlayedAgents {
  const { namespace, problem = () => undefined } = options
  const stop = new AbortController()
  const faults = new Map<string, Fault>()
  const nodes = new Map<string, Promise<Joined>>()
  const follow = (resource: Resource) => {
    const kept = store({ failed: (error) => problem(String(error)) })
    const told = (text: string | undefined): void => void (text !== undefined && problem(text))
    const source = reflect(api, { resource, scope: { namespace }, store: kept, problem: told }, stop.signal)
    return { store: kept, source }
  }
  const [sets, allPods] = [follow(statefulSets), follow(pods)]
  const [allSecrets, maps] = [follow(secrets), follow(configMaps)]
  const addresses = podAddresses()

  const join = (hostname: string, authKey: string): Promise<Joined> => {
    const made = nodes.get(authKey) ?? (options.join ?? madeUp(nodes.size))(hostname, authKey)
    nodes.set(authKey, made)
    return made
  }
  /** What an agent writes that has joined, or that asks for another key, since this one is refused. */
  const joining = (hostname: string, authKey: string): Promise<Change> =>
    join(hostname, authKey).then(joined, (error: unknown) => {
      problem(`${hostname}: ${String(error)}`)
      return { reissue_authkey: authKey }
    })
  /** Writes an object of these; its key does not run again before the store shows that, so that nothing is done twice. */
  const write = async (
    of: ReturnType<typeof follow>,
    name: string,
    { signal, wrote }: Flight,
    send: (signal: AbortSignal) => Promise<KubeObject | undefined>,
  ): Promise<void> => {
    const pending = of.store.writing(`${namespace}/${name}`)
    try {
      wrote(pending.done((await send(signal))?.metadata.resourceVersion))
    } catch (error) {
      pending.failed()
      throw error
    }
  }

  const createPod = async (set: KubeObject, ordinal: number, flight: Flight): Promise<void> => {
    const pod = podOf(set, ordinal)
    await write(allPods, pod.metadata.name, flight, (signal) => api.create(pods, pod, signal))
  }

  const deletePod = async ({ metadata: { name, uid = '' } }: KubeObject, flight: Flight): Promise<void> => {
    const how = { propagation: 'Background' } as const
    await write(allPods, name, flight, (signal) => api.delete(pods, { namespace, name, uid }, how, signal))
  }

  const change = async (name: string, texts: Change, flight: Flight): Promise<void> => {
    const entries = Object.entries(texts)
    if (entries.length === 0) return
    const data = Object.fromEntries(entries.map(([key, text]) => [key, text === null ? null : encoded(text)]))
    const patch = { type: 'merge', body: { data }, manager: 'tailscale-container' } as const
    await write(allSecrets, name, flight, (signal) => api.patch(secrets, { namespace, name }, patch, signal))
  }

  /** What a Pod sees; undefined while it cannot start, since its Secret is missing. */
  const replicaOf = (pod: KubeObject): Replica | undefined => {
    const key = keyOf(pod.metadata)
    const [state, config] = [allSecrets.store.get(key), allSecrets.store.get(`${key}-config`)]
    if (state === undefined) return undefined
    const { volumes = [], containers = [] } = pod['spec'] as PodSpec
    const env = containers.flatMap(({ env: all = [] }) => all.map(({ name, value = '' }) => [name, value] as const))
    const files = volumes.flatMap(({ configMap }) => maps.store.get(`${namespace}/${configMap?.name}`) ?? [])
    return {
      env: Object.fromEntries(env),
      files: Object.assign({}, ...files.map(textsOf)) as Texts,
      texts: { ...(config && textsOf(config)), ...textsOf(state) },
      podIPs: addresses(pod.metadata.uid ?? ''),
    }
  }

  /** What Tailscale's recorder does, which is the node itself: it joins, and says so only in its state. */
  const playRecorder = async (pod: KubeObject, flight: Flight): Promise<void> => {
    const { name, uid = '' } = pod.metadata
    const state = allSecrets.store.get(keyOf(pod.metadata))
    const auth = allSecrets.store.get(`${namespace}/${name.replace(/-(\d+)$/, '-auth-$1')}`)
    if (state === undefined || auth === undefined) return
    if (textsOf(state)['_current-profile'] === undefined)
      await change(name, onlyState(joined(await join(name, textsOf(auth)['authkey'] ?? ''))), flight)
    await tellPod(pod, true, addresses(uid), flight)
  }

  /** One step of the agent in a Pod. */
  const play = async (pod: KubeObject, flight: Flight): Promise<void> => {
    const { name, uid = '' } = pod.metadata
    if (isUpstreamRecorder(pod)) return playRecorder(pod, flight)
    const replica = replicaOf(pod)
    if (replica === undefined) return
    const fault = faults.get(name)
    const step = stepOf(replica.texts, uid, fault)
    if (step.change['reissue_authkey'] === null) faults.delete(name)
    const more = step.does === 'join' ? await joining(step.hostname, step.authKey) : {}
    const isForwarding = step.does === 'run' && Object.keys(step.change).length === 0
    const forwarded = isForwarding ? replicaChange(replica, fault) : {}
    await change(name, { ...step.change, ...more, ...forwarded }, flight)
    if (isForwarding && name.endsWith('-0') && fault !== 'no-https') await issue(replica, flight)
    const isUp = step.does !== 'wait' && more['reissue_authkey'] === undefined
    await tellPod(pod, isUp && fault !== 'never-ready', replica.podIPs, flight)
  }

  /** As the first replica of a group does, for Secrets that wait for their certificate. */
  const issue = async (replica: Replica, flight: Flight): Promise<void> => {
    for (const name of certificatesOf(replica)) {
      const secret = allSecrets.store.get(`${namespace}/${name}`)
      if (secret !== undefined && !textsOf(secret)['tls.crt']) await change(name, certificate, flight)
    }
  }

  /** As kubelet does: a Pod is ready if its containers and all of its gates are. */
  const tellPod = async (
    pod: KubeObject,
    isContainerReady: boolean,
    { v4, v6 }: Replica['podIPs'],
    flight: Flight,
  ): Promise<void> => {
    const { readinessGates = [] } = pod['spec'] as PodSpec
    const isReady = isContainerReady && readinessGates.every(({ conditionType }) => isTrue(pod, conditionType))
    const wanted = { Ready: isReady, ContainersReady: isContainerReady }
    if (Object.entries(wanted).every(([type, is]) => statusOf(pod, type) === is)) return
    const conditions = Object.entries(wanted).map(([type, is]) => ({ type, status: is ? 'True' : 'False' }))
    const status = { phase: 'Running', conditions, podIP: v4, podIPs: [{ ip: v4 }, { ip: v6 }] }
    const { name } = pod.metadata
    const body = { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace }, status }
    // The conditions of gates are written by others.
    const patch = { type: 'apply', body, subresource: 'status', manager: 'kubelet', force: true } as const
    await write(allPods, name, flight, (signal) => api.patch(pods, { namespace, name }, patch, signal))
  }

  /** As the controller of StatefulSets does. */
  const tellStatus = async (set: KubeObject, own: readonly KubeObject[], flight: Flight): Promise<void> => {
    const counts = { replicas: own.length, readyReplicas: own.filter(readyOf).length }
    const status = { observedGeneration: set.metadata.generation, ...counts }
    const { observedGeneration, replicas, readyReplicas = 0 } = (set['status'] ?? {}) as Partial<typeof status>
    if (isDeepStrictEqual({ observedGeneration, replicas, readyReplicas }, status)) return
    const patch = { type: 'merge', body: { status }, subresource: 'status', manager: 'statefulset-controller' } as const
    const { name } = set.metadata
    await write(sets, name, flight, (signal) => api.patch(statefulSets, { namespace, name }, patch, signal))
  }

  const keep = async (key: string, flight: Flight): Promise<void> => {
    const set = sets.store.get(key)
    const own = [...allPods.store.all()].filter((pod) => ownerKey(pod) === key)
    const isGoing = set === undefined || set.metadata.deletionTimestamp !== undefined
    const { replicas = 1, template } = (set?.['spec'] ?? {}) as Partial<StatefulSetSpec>
    const wanted = isGoing ? 0 : replicas
    const surplus = surplusOf(own, set, wanted)
    for (const pod of surplus) await deletePod(pod, flight)
    if (set === undefined) return
    if (isGoing) {
      if (own.length === 0 && set.metadata.finalizers?.includes('foregroundDeletion') === true) {
        const finalizers = set.metadata.finalizers.filter((one) => one !== 'foregroundDeletion')
        const patch = { type: 'merge', body: { metadata: { finalizers } }, manager: 'garbage-collector' } as const
        await api.patch(statefulSets, set.metadata, patch, flight.signal)
      }
      return
    }
    const staying = own.filter((pod) => !surplus.includes(pod) && pod.metadata.deletionTimestamp === undefined)
    for (let ordinal = 0; ordinal < wanted; ordinal += 1) {
      if (!own.some((pod) => ordinalOf(pod) === ordinal)) await createPod(set, ordinal, flight)
    }
    for (const pod of staying) await play(pod, flight)
    const next = staying.length === wanted && template !== undefined ? nextToReplace(staying, template) : undefined
    if (next !== undefined) await deletePod(next, flight)
    await tellStatus(set, own, flight)
  }

  const runs = controller({
    name: 'played-agents',
    sources: [sets, allPods, allSecrets, maps].map(({ source }) => source),
    triggers: [
      trigger(sets.store, ({ key }) => [key]),
      trigger(allPods.store, ({ before, after }) => [ownerKey((after ?? before)!)]),
      trigger(allSecrets.store, ({ key, after }) => {
        const group = after?.metadata.labels?.['tailscale.com/proxy-group']
        return [group === undefined ? key.replace(/(-auth)?-\d+(-config)?$/, '') : `${namespace}/${group}`]
      }),
      trigger(maps.store, ({ key }) => [key.replace(/-(egress|ingress|api)-config(-\d+)?$/, '')]),
    ],
    reconcile: keep,
    refuse: async (key, error) => problem(`${key}: ${error.message}`),
    problem: (key, text) => void (text !== undefined && problem(`${key}: ${text}`)),
    concurrency: 20,
    pauses: { first: 100, longest: 5000 },
  })
  return {
    fault: (pod, fault) => {
      if (fault === undefined) faults.delete(pod)
      else faults.set(pod, fault)
      runs.add(`${namespace}/${pod.replace(/-\d+$/, '')}`)
    },
    running: () => [...allPods.store.all()].length,
    [Symbol.asyncDispose]: async () => {
      await runs.drain(5000)
      stop.abort()
    },
  }
}
