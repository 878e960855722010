import type { Api } from '../../kube/controller/api.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import { isJsonObject } from '../../lib/json.ts'
import { keys } from '../../wire/state-secret.ts'
import type { TailscaleApi } from '../api/api.ts'
import type { Refused } from '../kind.ts'
import { labelsOf, type Parent } from '../objects/parent.ts'
import { secrets } from '../objects/resources.ts'
import { deviceIdIn, textIn } from '../proxy/state.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import type { World } from '../world/world.ts'

/** A manager of its own: what the operator applies later would otherwise take these fields out again. */
const manager = 'culvert-former-state'

type Options = {
  readonly api: Pick<Api, 'get' | 'patch'>
  readonly tailnet: Pick<TailscaleApi, 'getDevice'>
  readonly world: Pick<World, 'get'>
  readonly settings: Pick<OperatorSettings, 'namespace' | 'operatorSecret'>
}

/** `copied`: an event tells when that can be seen; `none`: there is nothing to copy, or no need any more. */
export type Former = 'copied' | 'none' | { readonly refused: Refused; readonly again: number }

/**
 * Gives what makes a Secret that is not there yet from the state of the node that Tailscale's operator had, so that it
 * goes on as that node. That Secret stays as it is: by it the operator is known as an owner of Tailscale Services, and
 * Tailscale's operator could go back to it.
 */
export function formerState({ api, tailnet, world, settings: { namespace, operatorSecret } }: Options) {
  return async (parent: Parent, name: string, signal: AbortSignal): Promise<Former> => {
    const at = { namespace, name }
    if (operatorSecret === '' || world.get(secrets, `${namespace}/${name}`) !== undefined) return 'none'
    // The cache may be behind, and shows only what has labels.
    if ((await api.get(secrets, at, signal)) !== undefined) return 'none'
    const former = await api.get(secrets, { namespace, name: operatorSecret }, signal)
    const state = former && stateOf(former)
    if (state === undefined) return 'none'
    const device = await tailnet.getDevice(state.id, signal)
    // It was removed from the tailnet: what is left of it is no node any more.
    if (device === undefined) return 'none'
    // Of two with one key, each would throw the other out of the tailnet again and again.
    if (device.isConnected === true) return { refused: inUse(device.name, operatorSecret), again: inUseMs }
    const metadata = { ...at, labels: labelsOf(parent) }
    const body = { apiVersion: 'v1', kind: 'Secret', metadata, data: state.data }
    await api.patch(secrets, at, { type: 'apply', body, manager, hidden: Object.values(state.data) }, signal)
    return 'copied'
  }
}

const inUseMs = 10_000

const inUse = (device: string, secret: string): Refused => ({
  as: 'pending',
  reason: 'DeviceInUse',
  message: `the API server proxy is to go on as the device ${device}, by the Secret "${secret}", and that is still connected. Stop Tailscale's operator.`,
})

/** A node's state with its ID, as agents have it; undefined if the Secret holds no node. */
function stateOf(
  secret: KubeObject,
): { readonly id: string; readonly data: Readonly<Record<string, string>> } | undefined {
  const id = deviceIdIn(secret)
  if (id === undefined || textIn(secret, '_machinekey') === undefined || !isJsonObject(secret['data'])) return undefined
  const data = Object.entries(secret['data']).map(([key, value]) => [key, String(value)] as const)
  return { id, data: { ...Object.fromEntries(data), [keys.deviceId]: Buffer.from(id).toString('base64') } }
}
