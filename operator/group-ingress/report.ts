import type { Event } from '../../kube/controller/events.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import { findGroup } from '../group/group.ts'
import type { Refused } from '../kind.ts'
import type { Condition } from '../objects/conditions.ts'
import { specOf } from '../objects/service.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import { ipModeOf } from '../objects/exposed-service.ts'
import type { World } from '../world/world.ts'
import { askOf, parentFor } from './ask.ts'
import { isIssuedFor } from './certificate.ts'
import { type Mapping, webPortsOf } from './entries.ts'
import { namesFor } from './record.ts'
import { type Standing, standingOf } from './standing.ts'
import { type Use, useFor } from './uses-of.ts'

/** Why an object is refused whose group does not exist, or not yet. */
export const groupNotFound = 'ProxyGroupNotFound'

/** What there is to tell of an object that asks something of a group: a function of what the cluster holds. */
export type Report = {
  readonly status: Readonly<Record<string, unknown>>
  readonly conditions: readonly Condition[]
  readonly events: readonly Event[]
}

/** `refused`: why what it asks for cannot be done; what was there goes on, and the status says that, too. */
export function reportOf(
  object: KubeObject,
  refused: Refused | undefined,
  world: World,
  settings: OperatorSettings,
): Report {
  const found = foundFor(object, world, settings)
  const missing = refused?.message ?? (found === undefined ? 'it is being provided for' : found.missing)
  return {
    status: statusOf(object, found, world, settings),
    // The API has none for Ingresses.
    conditions: object.kind === 'Ingress' ? [] : conditionsOf(refused, found?.standing, missing),
    events: [
      ...(refused === undefined ? [] : [warning(refused.reason, refused.message)]),
      ...(refused === undefined && object.kind === 'Ingress' && found?.isLacking === true
        ? [warning('IngressNotServed', missing ?? '')]
        : []),
    ],
  }
}

type Found = {
  readonly use: Use
  readonly standing: Standing
  readonly fqdn: string | undefined
  /** What the object waits for. */
  readonly missing: string | undefined
  /** Whether that is more than single replicas that come and go, or a name that is just being provided for. */
  readonly isLacking: boolean
}

/** The use that an object has now: that of the name it asks for, or, as long as nobody serves that, of one before. */
function foundFor(object: KubeObject, world: World, settings: OperatorSettings): Found | undefined {
  const asked = askOf(object, settings)?.service
  const all = namesFor(world, parentFor(object), asked).flatMap((record) =>
    [record.group, ...record.former].flatMap((name) => {
      const group = findGroup(world, name, settings)
      if ('missing' in group) return []
      const view = { group, world, settings }
      const use = useFor(view, record)
      return use === undefined ? [] : [{ use, standing: standingOf(view, use), fqdn: record.fqdn }]
    }),
  )
  const found = all.find(({ standing }) => standing.serving > 0) ?? all[0]
  if (found === undefined) return undefined
  const { service } = found.use
  if (service === asked || asked === undefined) {
    const isLacking = found.standing.serving === 0 || found.use.partly !== undefined
    return { ...found, missing: lacking(found.standing), isLacking }
  }
  const next = all.find(({ use }) => use.service === asked)
  const waits = next === undefined ? 'is being provided for' : (lacking(next.standing) ?? 'is about to be hosted')
  return { ...found, missing: `as ${service}, while ${asked} ${waits}`, isLacking: next !== undefined }
}

const warning = (reason: string, message: string): Event => ({ type: 'Warning', reason, message })

const lacking = ({ missing }: Standing): string | undefined =>
  missing === undefined ? undefined : `waits for ${missing}`

/** Where it is reachable, as soon as some replica hosts it. */
function statusOf(object: KubeObject, found: Found | undefined, world: World, settings: OperatorSettings) {
  const isBalanced = object.kind === 'Ingress' || specOf(object).type === 'LoadBalancer'
  if (!isBalanced) return {}
  if (found === undefined || found.standing.serving === 0 || found.fqdn === undefined) return { loadBalancer: {} }
  const { fqdn: hostname, use } = found
  if (object.kind === 'Ingress') {
    const isIssued = isIssuedFor(world, hostname, settings.namespace)
    const ports = webPortsOf(object).flatMap(({ port, does }) =>
      does === 'https' && !isIssued ? [] : [{ port, protocol: 'TCP' }],
    )
    return { loadBalancer: ports.length === 0 ? {} : { ingress: [{ hostname, ports }] } }
  }
  const { IPv4Mapping, IPv6Mapping } = (use.entry ?? {}) as Mapping
  const [first, ...rest] = [IPv4Mapping, IPv6Mapping].flatMap((one) => one?.TailscaleServiceIP || [])
  const address = (ip: string) => ({ ip, ...ipModeOf(object) })
  return {
    loadBalancer: { ingress: [{ hostname, ...(first !== undefined && address(first)) }, ...rest.map(address)] },
  }
}

function conditionsOf(
  refused: Refused | undefined,
  standing: Standing | undefined,
  missing: string | undefined,
): readonly Condition[] {
  const valid = 'TailscaleIngressSvcValid'
  const configured = 'TailscaleIngressSvcConfigured'
  const { serving = 0, replicas = 0 } = standing ?? {}
  const message = [
    `${serving}/${replicas} proxy backends ready and advertising`,
    ...(missing === undefined ? [] : [missing]),
  ].join('; ')
  return [
    refused?.reason === groupNotFound
      ? { type: valid, status: 'Unknown', reason: 'ProxyGroupNotReady', message: refused.message }
      : refused?.as === 'invalid'
        ? { type: valid, status: 'False', reason: 'IngressSvcInvalid', message: refused.message }
        : { type: valid, status: 'True', reason: 'IngressSvcValid', message: 'what it asks for is valid' },
    serving > 0
      ? { type: configured, status: 'True', reason: 'IngressSvcConfigured', message }
      : { type: configured, status: 'False', reason: 'IngressSvcNoBackendsConfigured', message },
  ]
}
