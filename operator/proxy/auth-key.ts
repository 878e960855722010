import * as z from 'zod/mini'
import type { KubeObject } from '../../kube/controller/object.ts'
import { parseJson } from '../../lib/json.ts'
import { keys } from '../../wire/state-secret.ts'
import { type Parent, parentResources } from '../objects/parent.ts'
import { deviceIdIn, textIn } from './state.ts'

/** Annotations of a Secret, about the auth key in it. */
export const keyId = 'culvert/auth-key-id'
export const keyExpires = 'culvert/auth-key-expires'

/** An auth key in the config of a replica. */
export type Held = {
  readonly key: string
  /** For taking it back; undefined if another operator has made it. */
  readonly id: string | undefined
  readonly expires: Date | undefined
}

/** What a replica's config is to have. `mint` replaces the device with this ID, if there is one. */
export type KeyNeed =
  | { readonly need: 'none' }
  | { readonly need: 'keep'; readonly held: Held }
  | { readonly need: 'mint'; readonly instead: string | undefined; readonly isReissue: boolean }

const content = z.object({ AuthKey: z.string() })

/** The auth key that a Secret holds: that in the file for the newest agents. */
export function heldIn(secret: KubeObject | undefined): Held | undefined {
  const files = keysOf(secret).filter((name) => versionOf(name) !== undefined)
  const [newest = ''] = files.toSorted((one, other) => versionOf(other)! - versionOf(one)!)
  const key = z.safeParse(content, parseJson(textIn(secret, newest) ?? '')).data?.AuthKey
  if (!key) return undefined
  const { [keyId]: id, [keyExpires]: expires } = secret?.metadata.annotations ?? {}
  const date = new Date(expires ?? '')
  return { key, id, expires: Number.isNaN(date.getTime()) ? undefined : date }
}

/** The capability version of a file of a device's config. */
const versionOf = (file: string): number | undefined => {
  const [, version] = /^cap-(\d{1,9})\.hujson$/.exec(file) ?? []
  return version === undefined ? undefined : Number(version)
}

/** Where a replica's config and its state are: both in one Secret, or in one each. */
export type ReplicaSecrets = { readonly config: KubeObject | undefined; readonly state: KubeObject | undefined }

/**
 * Whether a replica needs an auth key: until its device has joined, and again when its agent asks for another one than
 * it has, as it does when the control server has refused it. The agent's request names the key that has failed.
 */
export function keyNeed({ config, state }: ReplicaSecrets, now: Date): KeyNeed {
  const held = heldIn(config)
  const id = textIn(state, keys.deviceId)
  if (asksForAnother(state)) {
    const failed = textIn(state, keys.reissue) ?? ''
    if (held === undefined || held.key === failed) return { need: 'mint', instead: id, isReissue: true }
    return { need: 'keep', held }
  }
  if (id !== undefined) return { need: 'none' }
  // Tailscale's recorder has joined with this state, and does not say so.
  if (held === undefined && state !== undefined && deviceIdIn(state) !== undefined) return { need: 'none' }
  if (held === undefined || (held.expires !== undefined && held.expires <= now))
    return { need: 'mint', instead: undefined, isReissue: false }
  return { need: 'keep', held }
}

/** Whether the agent whose state this is waits for another key; its request may be empty. */
export const asksForAnother = (state: KubeObject | undefined): boolean => keysOf(state).includes(keys.reissue)

function keysOf(secret: KubeObject | undefined): readonly string[] {
  const data = secret?.['data']
  return typeof data === 'object' && data !== null ? Object.keys(data) : []
}

type Described = { readonly kind: string; readonly metadata: Pick<KubeObject['metadata'], 'namespace' | 'name'> }

/** The same as `keyDescription` of a parent that may be gone: of a name that is cut in labels, the rest has no room. */
export const keyDescriptionFor = ({ type, ...metadata }: Parent): string =>
  keyDescription({ kind: parentResources[type].kind, metadata })

/** For people who look at the keys of the tailnet: 50 letters, digits, dashes and spaces at most. */
export const keyDescription = ({ kind, metadata: { namespace, name } }: Described): string =>
  [kind, namespace, name]
    .filter(Boolean)
    .join(' ')
    .replaceAll(/[^A-Za-z0-9 -]/g, '-')
    .slice(0, 50)
