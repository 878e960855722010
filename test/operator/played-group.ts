import { parseAddress } from '../../lib/address.ts'
import { parseEgressServices } from '../../wire/egress-services.ts'
import { parseIngressServices } from '../../wire/ingress-services.ts'
import { renderEgressStatus, renderIngressStatus } from '../../wire/services-status.ts'
import { apiServerConfig, type Change, type Fault, type Texts } from './played-state.ts'

/** What a Pod of a group of proxies sees. */
export type Replica = {
  /** The environment by name, as far as it has plain values. */
  readonly env: Readonly<Record<string, string>>
  /** The files in the group's ConfigMap. */
  readonly files: Texts
  /** Of its own Secrets: state and config. */
  readonly texts: Texts
  readonly podIPs: { readonly v4: string; readonly v6: string }
}

/** Where a name of the tailnet leads, for all that is played. */
const resolved = parseAddress('100.64.77.77')!

/** What an agent of a group that runs writes into its Secret: what it forwards, and what it advertises. */
export function replicaChange(replica: Replica, fault: Fault | undefined): Change {
  const { env, files, texts } = replica
  const isIdle = fault === 'not-forwarding'
  const egress =
    env['TS_EGRESS_PROXIES_CONFIG_PATH'] === undefined || files['egress-services'] === undefined
      ? undefined
      : egressStatus(replica, files['egress-services'], isIdle)
  const ingress =
    env['TS_INGRESS_PROXIES_CONFIG_PATH'] === undefined || files['ingress-config.json'] === undefined
      ? undefined
      : ingressStatus(replica, files['ingress-config.json'], isIdle)
  const profile = advertising(texts)
  const wanted = {
    ...(egress !== undefined && { 'egress-services': egress }),
    ...(ingress !== undefined && { 'ingress-config.json': ingress }),
    ...(profile !== undefined && { [texts['_current-profile'] ?? '']: profile }),
  }
  return Object.fromEntries(Object.entries(wanted).filter(([key, text]) => texts[key] !== text))
}

/**
 * The Secrets with certificates that the first replica issues: for all HTTPS names of the serve config, and for that of
 * an API server proxy.
 */
export function certificatesOf({ files, texts }: Replica): readonly string[] {
  const { Services = {} } = JSON.parse(files['serve-config.json'] ?? '{}') as {
    readonly Services?: Readonly<Record<string, { readonly Web?: Readonly<Record<string, unknown>> }>>
  }
  const { ServiceName = '', OtherServiceNames = [] } = apiServerIn(files[apiServerConfig])
  const ours = [ServiceName, ...OtherServiceNames].filter((name) => name in Services)
  const theirs = files[apiServerConfig] === undefined ? apiServerIn(texts[apiServerConfig]).ServiceName : undefined
  const domain = texts['device_fqdn']?.replace(/^[^.]*/, '').replace(/\.$/, '') ?? ''
  const sites = Object.values(Services).flatMap(({ Web = {} }) => Object.keys(Web))
  return [
    ...sites.flatMap((site) => (site.endsWith(':443') ? [site.slice(0, -':443'.length)] : [])),
    ...[...ours, ...(theirs === undefined ? [] : [theirs])].map((name) => `${name.replace('svc:', '')}${domain}`),
  ]
}

type ApiServer = { readonly ServiceName?: string; readonly OtherServiceNames?: readonly string[] }
const apiServerIn = (text = '{}'): ApiServer =>
  (JSON.parse(text) as { readonly APIServerProxy?: ApiServer }).APIServerProxy ?? {}

/** What a Secret of a certificate has once it is issued; no program reads it where agents are played. */
export const certificate = { 'tls.crt': 'played certificate', 'tls.key': 'played key' }

function egressStatus({ podIPs }: Replica, text: string, isIdle: boolean): string {
  const services = isIdle ? [] : [...parseEgressServices(Buffer.from(text)).services.values()]
  const listed = services.map((service) => {
    const { target } = service
    return { service, addresses: [target.kind === 'address' ? target.address : resolved] }
  })
  return renderEgressStatus({ podIPv4: podIPs.v4, podIPv6: podIPs.v6, services: listed }, 1_000_000).text
}

function ingressStatus({ podIPs }: Replica, text: string, isIdle: boolean): string {
  const services = isIdle ? [] : [...parseIngressServices(Buffer.from(text)).services.values()]
  return renderIngressStatus({ podIPv4: podIPs.v4, podIPv6: podIPs.v6, services }, 1_000_000).text
}

/** tailscaled's own state with what the config advertises. */
function advertising(texts: Texts): string | undefined {
  const before = texts[texts['_current-profile'] ?? '']
  const all = Object.keys(texts)
  const config = all.find((name) => /^cap-\d+\.hujson$/.test(name)) ?? all.find((name) => name === apiServerConfig)
  if (before === undefined || config === undefined) return undefined
  const { AdvertiseServices } = JSON.parse(texts[config] ?? '{}') as { readonly AdvertiseServices?: readonly string[] }
  return JSON.stringify({ ...(JSON.parse(before) as object), AdvertiseServices })
}
