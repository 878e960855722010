import * as z from 'zod/mini'
import { type Address, parseAddress } from '../lib/address.ts'
import { parseJson } from '../lib/json.ts'

/** The keys of the state Secret that the agent writes. tailscaled has its own keys there. */
export const keys = {
  capver: 'tailscale_capver',
  podUid: 'pod_uid',
  deviceId: 'device_id',
  deviceFqdn: 'device_fqdn',
  deviceIps: 'device_ips',
  reissue: 'reissue_authkey',
  httpsEndpoint: 'https_endpoint',
  egressServices: 'egress-services',
  ingressServices: 'ingress-config.json',
  /** The Tailscale Services that the tailnet lets the node host: JSON list of names. */
  hosted: 'culvert-hosted',
  /** The memory of failed certificate requests. */
  certificates: 'culvert-certificates',
  /** Written by users and operators; read, and never written by the agent. */
  authKey: 'authkey',
} as const

/** Left by an earlier run, and meaningless in this one. */
export const staleAtBoot = [keys.httpsEndpoint, keys.egressServices, keys.ingressServices, keys.hosted] as const

/** The value of `device_fqdn`: the node's full name with a trailing dot. */
export const renderDeviceFqdn = (name: string): string => (name.endsWith('.') ? name : `${name}.`)

/** The full name without its trailing dot, as people and DNS records have it; undefined if there is none. */
export const parseDeviceFqdn = (text: string): string | undefined => text.replace(/\.$/, '') || undefined

/** The value of `device_ips`: the node's addresses as a JSON list. */
export const renderDeviceIps = (addresses: readonly Address[]): string =>
  JSON.stringify(addresses.map(({ text }) => text))

/** The node's addresses; undefined unless the value is a list of nothing else. */
export function parseDeviceIps(text: string): readonly Address[] | undefined {
  const list = parseJson(text)
  if (!Array.isArray(list)) return undefined
  const addresses = list.flatMap((item: unknown) => (typeof item === 'string' ? (parseAddress(item) ?? []) : []))
  return addresses.length === list.length ? addresses : undefined
}

export const renderHosted = (services: readonly string[]): string => JSON.stringify(services.toSorted())

/** Undefined unless the text is a list of names. */
export const parseHosted = (text: string): readonly string[] | undefined =>
  z.safeParse(z.array(z.string()), parseJson(text)).data
