import * as z from 'zod/mini'
import type { KubeObject } from '../../kube/controller/object.ts'
import { optional, parseJson } from '../../lib/json.ts'
import { keys, parseDeviceFqdn, parseDeviceIps } from '../../wire/state-secret.ts'
import type { Device } from './request.ts'

/** From this capability version on, agents write for which name they serve HTTPS. */
const writesEndpoint = 109

/** A text in a Secret; undefined if it is absent or empty. */
export function textIn(secret: KubeObject | undefined, key: string): string | undefined {
  const data = secret?.['data']
  if (typeof data !== 'object' || data === null) return undefined
  const value: unknown = Object.entries(data).find(([name]) => name === key)?.[1]
  return (typeof value === 'string' && Buffer.from(value, 'base64').toString('utf8')) || undefined
}

/** A name as the API takes it in the status of others; anything else in its place would keep all of the status out. */
const dnsName = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
const usable = (name: string | undefined): string | undefined =>
  name !== undefined && name.length <= 253 && dnsName.test(name) ? name : undefined

/** The full name of a node, by its state; undefined until it has joined. */
export const fqdnIn = (secret: KubeObject | undefined): string | undefined =>
  usable(parseDeviceFqdn(textIn(secret, keys.deviceFqdn) ?? ''))

/** What is known of a replica; either object may not exist. */
export function readDevice(ordinal: number, secret: KubeObject | undefined, pod: KubeObject | undefined): Device {
  const podUid = textIn(secret, keys.podUid)
  const isCurrent = podUid !== undefined && podUid === pod?.metadata.uid
  const fqdn = fqdnIn(secret)
  const writes = isCurrent && Number(textIn(secret, keys.capver)) >= writesEndpoint
  return {
    ordinal,
    id: textIn(secret, keys.deviceId),
    fqdn,
    addresses: parseDeviceIps(textIn(secret, keys.deviceIps) ?? '[]')?.map(({ text }) => text) ?? [],
    httpsEndpoint: writes ? usable(textIn(secret, keys.httpsEndpoint)) : fqdn,
    isCurrent,
    isReady: pod !== undefined && isReady(pod),
  }
}

const podStatus = z.object({ conditions: optional(z.array(z.object({ type: z.string(), status: z.string() }))) })

/** Whether a Pod is ready, and not being deleted. */
export const isReady = ({ metadata, status }: KubeObject): boolean =>
  metadata.deletionTimestamp === undefined &&
  z.safeParse(podStatus, status).data?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') === true

const profile = z.object({ Config: z.object({ NodeID: z.string() }) })

/**
 * The stable ID of a replica's device; undefined if it has none. An agent that was killed between joining and saying so
 * has left it only in tailscaled's own state, so the Secret must be complete.
 */
export function deviceIdIn(secret: KubeObject): string | undefined {
  const id = textIn(secret, keys.deviceId)
  if (id !== undefined) return id
  const current = textIn(secret, textIn(secret, '_current-profile') ?? '')
  return z.safeParse(profile, parseJson(current ?? '')).data?.Config.NodeID || undefined
}
