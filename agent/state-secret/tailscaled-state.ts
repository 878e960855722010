import * as z from 'zod/mini'
import type { SecretData } from '../../kube/client.ts'
import { parseJson } from '../../lib/json.ts'
import { keys } from '../../wire/state-secret.ts'

/** tailscaled's own keys. Each profile has its own key, `profile-<id>`. */
const machineKey = '_machinekey'
const currentProfile = '_current-profile'
const profileIndex = '_profiles'
const profilePrefix = 'profile-'

/**
 * What tailscaled would find. `fresh`: nothing, so that it becomes a new node. `whole`: an identity. `healable`: an
 * identity that tailscaled finds only after `change` is applied. `broken`: a missing part cannot be restored.
 */
export type StateVerdict =
  | { readonly kind: 'fresh' | 'whole' }
  | { readonly kind: 'healable'; readonly problem: string; readonly change: ReadonlyMap<string, string> }
  | { readonly kind: 'broken'; readonly problem: string }

const blobSchema = z.object({ Config: z.object({ PrivateNodeKey: z.string(), NodeID: z.optional(z.string()) }) })

const text = (data: SecretData, key: string): string => data.get(key)?.toString('utf8') ?? ''

/** Inspects tailscaled's keys before it is started. Pure; the texts never contain values. */
export function inspectState(data: SecretData): StateVerdict {
  const names = [...data.keys()].filter((key) => key.startsWith(profilePrefix))
  const hasMachine = text(data, machineKey) !== ''
  if (!hasMachine && names.length === 0 && !data.has(currentProfile)) return { kind: 'fresh' }
  // Logged out, or never logged in: a machine key alone is not an identity, and nothing is lost.
  if (names.length === 0 && !data.has(profileIndex)) return { kind: 'fresh' }
  if (!hasMachine) return broken(`${machineKey} is missing`)
  if (!/^privkey:[0-9a-f]{64}$/.test(text(data, machineKey))) return broken(`${machineKey} is no machine key`)
  const profiles = names.flatMap((name) => {
    const blob = blobSchema.safeParse(parseJson(text(data, name)))
    return blob.success ? [{ name, nodeId: blob.data.Config.NodeID ?? '' }] : []
  })
  const current = text(data, currentProfile)
  if (names.includes(current) && !profiles.some(({ name }) => name === current)) {
    return broken(`${current}, which ${currentProfile} names, is no profile`)
  }
  if (profiles.length === 0)
    return broken(`${profilePrefix}… is missing: there is an index of profiles, but no profile`)
  return heal(data, profiles, current)
}

function heal(data: SecretData, profiles: readonly { name: string; nodeId: string }[], current: string): StateVerdict {
  const change = new Map<string, string>()
  const problems: string[] = []
  if (!indexes(text(data, profileIndex), profiles)) {
    problems.push(`${profileIndex} does not list every profile`)
    // tailscaled restores the rest from the profiles themselves.
    const entries = profiles.map(({ name }) => {
      const id = name.slice(profilePrefix.length)
      return [id, { ID: id, Key: name }] as const
    })
    change.set(profileIndex, JSON.stringify(Object.fromEntries(entries)))
  }
  if (!profiles.some(({ name }) => name === current)) {
    problems.push(`${currentProfile} names no profile`)
    const deviceId = text(data, keys.deviceId)
    const own =
      profiles.length === 1 ? profiles[0] : profiles.find(({ nodeId }) => nodeId !== '' && nodeId === deviceId)
    if (own === undefined) {
      return broken(
        `${problems.join(', and ')}, and none of the ${profiles.length} profiles is of the node in ${keys.deviceId}`,
      )
    }
    change.set(currentProfile, own.name)
  }
  return problems.length === 0 ? { kind: 'whole' } : { kind: 'healable', problem: problems.join(', and '), change }
}

/** Whether the index is valid and has each of the profiles. */
function indexes(index: string, profiles: readonly { name: string }[]): boolean {
  const parsed = z.record(z.string(), z.object({ Key: z.string() })).safeParse(parseJson(index))
  if (!parsed.success) return false
  const listed = new Set(Object.values(parsed.data).map(({ Key }) => Key))
  return profiles.every(({ name }) => listed.has(name))
}

const broken = (problem: string): StateVerdict => ({ kind: 'broken', problem })

/**
 * Whether tailscaled has finished writing: all of its keys exist, or none. Of several profiles the current one counts:
 * upstream's agent never considers two of them consistent.
 */
export function isConsistent(data: SecretData): boolean {
  const names = [...data.keys()].filter((key) => key.startsWith(profilePrefix))
  const present = [machineKey, currentProfile, profileIndex].filter((key) => data.has(key))
  if (present.length === 0) return names.length === 0
  return present.length === 3 && (names.length === 1 || names.includes(text(data, currentProfile)))
}

/** The keys of the node's identity: removed so that the next start is a new node. */
export function identityKeys(data: SecretData): string[] {
  const current = text(data, currentProfile)
  const profile = current.startsWith(profilePrefix) ? [current] : []
  return [machineKey, currentProfile, profileIndex, ...profile]
}
