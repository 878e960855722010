import type { KubeObject } from '../../kube/controller/object.ts'

export type ServicePort = {
  readonly name?: string
  readonly port: number
  /** TCP if it is left out. */
  readonly protocol?: string
  /** The port of the Pods, or its name there; `port` if it is left out. */
  readonly targetPort?: number | string
}

/** The fields of a Service's `spec` that the operator reads. */
export type ServiceSpec = {
  readonly type?: string
  /** `None` for a headless Service; empty until the API has chosen it, and for names of other hosts. */
  readonly clusterIP?: string
  readonly clusterIPs?: readonly string[]
  readonly externalName?: string
  readonly loadBalancerClass?: string
  readonly ports?: readonly ServicePort[]
}

export const specOf = (service: KubeObject): ServiceSpec => service['spec'] ?? {}

/** The addresses at which the cluster leads to the Service's Pods, its main one first; none if it is headless. */
export function clusterAddresses({ clusterIP = '', clusterIPs = [clusterIP] }: ServiceSpec): readonly string[] {
  return clusterIPs.filter((address) => address !== '' && address !== 'None')
}

/** `host:port`, in brackets for an IPv6 address. */
export const hostPort = (host: string, port: number): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`

/** The Service's name in the cluster's DNS. */
export const dnsName = ({ metadata }: KubeObject, clusterDomain: string): string =>
  `${metadata.name}.${metadata.namespace}.svc.${clusterDomain}`
