import * as z from 'zod/mini'
import type { Api, Patch } from '../../kube/controller/api.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import { isJsonObject } from '../../lib/json.ts'
import { keys } from '../../wire/state-secret.ts'
import type { TailscaleApi } from '../api/api.ts'
import type { Refused } from '../kind.ts'
import { labelsOf, type Parent } from '../objects/parent.ts'
import { pods, secrets, statefulSets } from '../objects/resources.ts'
import { isOurs } from '../proxy/owned.ts'
import { deviceIdIn, textIn } from '../proxy/state.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import type { World } from '../world/world.ts'

/** A manager of its own: what the operator applies later would otherwise take these fields out again. */
const manager = 'culvert-former-state'

/** An annotation of the proxy's Secret: the ID of the device whose state was copied into it. */
const copiedFrom = 'culvert/former-device'

type Options = {
  readonly api: Pick<Api, 'get' | 'patch'>
  readonly tailnet: Pick<TailscaleApi, 'getDevice'>
  readonly world: Pick<World, 'get'>
  readonly settings: Pick<OperatorSettings, 'namespace' | 'operatorSecret'>
}

/** `copied`: an event tells when that can be seen; `none`: there is nothing to copy, or no need any more. */
export type Former = 'copied' | 'none' | { readonly refused: Refused; readonly again: number }

/**
 * Gives what has the Secret of a proxy that is about to be made hold the state of the node that Tailscale's operator
 * had, so that it goes on as that node, and refuses while that node is in use. That Secret stays as it is: by it the
 * operator is known as an owner of Tailscale Services, and Tailscale's operator could go back to it. After that, this is
 * asked anew: the proxy has its Secret from the first time, and Tailscale's operator may have got another node.
 */
export function formerState({ api, tailnet, world, settings: { namespace, operatorSecret } }: Options) {
  return async (parent: Parent, name: string, signal: AbortSignal): Promise<Former> => {
    const at = { namespace, name }
    const key = `${namespace}/${name}`
    const isRunning = z.safeParse(running, world.get(pods, key)).success
    // A Pod may outlive its StatefulSet.
    const isMade = isRunning || world.get(statefulSets, `${namespace}/${parent.name}`) !== undefined
    if (operatorSecret === '' || (isMade && world.get(secrets, key) !== undefined)) return 'none'
    // The cache may be behind, and shows only what has labels.
    const present = await api.get(secrets, at, signal)
    if (present !== undefined && (isMade || !isOurs(parent, present))) return 'none'
    const secret = await api.get(secrets, { namespace, name: operatorSecret }, signal)
    const former = secret && stateOf(secret)
    if (former === undefined) return 'none'
    const own = present && stateOf(present)
    for (const state of byPreference(former, own)) {
      const device = await tailnet.getDevice(state.id, signal)
      // It was removed from the tailnet: what is left of it is no node any more.
      if (device === undefined) continue
      // Of two with one key, each would throw the other out of the tailnet again and again. A Pod of ours is no other.
      if (device.isConnected === true && !isRunning)
        return { refused: inUse(device.name, state === own ? name : operatorSecret), again: inUseMs }
      if (state === own) return 'none'
      await api.patch(secrets, at, copyOf(state, present, { ...at, labels: labelsOf(parent) }), signal)
      return 'copied'
    }
    return 'none'
  }
}

const running = z.object({ status: z.object({ phase: z.literal('Running') }) })

/**
 * The states with which the proxy could go on, the best first. That of Tailscale's operator is the newer one only if it
 * is not the one that was copied: otherwise the proxy has got its other device later.
 */
function byPreference(former: State, own: State | undefined): readonly State[] {
  if (own === undefined) return [former]
  if (own.id === former.id) return [own]
  return own.from !== undefined && own.from !== former.id ? [former, own] : [own, former]
}

/** What makes the Secret, or replaces all that is in the one that is there, unless that changes meanwhile. */
function copyOf({ id, data }: State, present: KubeObject | undefined, metadata: KubeObject['metadata']): Patch {
  const annotations = { ...present?.metadata.annotations, [copiedFrom]: id }
  const hidden = Object.values(data)
  if (present === undefined) {
    const body = { apiVersion: 'v1', kind: 'Secret', metadata: { ...metadata, annotations }, data }
    return { type: 'apply', body, manager, hidden }
  }
  const body = [
    { op: 'test', path: '/metadata/resourceVersion', value: present.metadata.resourceVersion },
    { op: 'add', path: '/metadata/annotations', value: annotations },
    { op: 'add', path: '/data', value: data },
  ]
  return { type: 'json', body, manager, hidden }
}

const inUseMs = 10_000

const inUse = (device: string, secret: string): Refused => ({
  as: 'pending',
  reason: 'DeviceInUse',
  message: `the API server proxy is to go on as the device ${device}, by the Secret "${secret}", and that is still connected. If Tailscale's operator runs, stop it.`,
})

type State = {
  readonly id: string
  readonly data: Readonly<Record<string, string>>
  /** The device whose state this was when it was copied; undefined if it is no copy. */
  readonly from: string | undefined
}

/** A node's state with its ID, as agents have it; undefined if the Secret holds no node. */
function stateOf(secret: KubeObject): State | undefined {
  const id = deviceIdIn(secret)
  if (id === undefined || textIn(secret, '_machinekey') === undefined || !isJsonObject(secret['data'])) return undefined
  const data = Object.entries(secret['data']).map(([key, value]) => [key, String(value)] as const)
  return {
    id,
    data: { ...Object.fromEntries(data), [keys.deviceId]: Buffer.from(id).toString('base64') },
    from: secret.metadata.annotations?.[copiedFrom],
  }
}
