import * as z from 'zod/mini'
import { UserError } from '../../kube/controller/controller.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import { isJsonObject } from '../../lib/json.ts'
import { some } from '../../lib/some.ts'
import { readAnnotations } from '../objects/annotations.ts'
import { proxyClassOf } from '../objects/class-of.ts'
import { type Parent, parentOf } from '../objects/parent.ts'
import { proxyGroups } from '../objects/resources.ts'
import { mustBeDefaultTailnet } from '../objects/tailnet.ts'
import { authAccount } from '../proxy/account.ts'
import { issueTexts } from '../schemas/issues.ts'
import { proxyGroup } from '../schemas/proxy-group.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import type { World } from '../world/world.ts'

export type GroupType = 'egress' | 'ingress' | 'kube-apiserver'

/** What a ProxyGroup asks for, checked. */
export type Group = {
  readonly object: KubeObject
  readonly name: string
  readonly type: GroupType
  readonly replicas: number
  /** The name of each replica in the tailnet. */
  readonly hostnames: readonly string[]
  /** Those of the operator's settings if it names none. */
  readonly tags: readonly string[]
  readonly proxyClass: string | undefined
  /** Undefined: as the operator's settings say. */
  readonly sharesAcmeAccount: boolean | undefined
  /** As what API server proxies pass requests on; undefined of other types. */
  readonly mode: 'auth' | 'noauth' | undefined
}

/** The service account that the Pods of a group run as. */
export const accountOf = ({ name, mode }: Pick<Group, 'name' | 'mode'>): string =>
  mode === 'auth' ? authAccount : name

/** The ConfigMap that all replicas of a group mount; a volume is called so, too. */
export const configMapName = ({ name, type }: Pick<Group, 'name' | 'type'>): string =>
  `${name}-${type === 'kube-apiserver' ? 'api' : type}-config`

/** A group as the parent of what is named after it. */
export const parentOfGroup = (name: string): Parent => ({ type: 'proxygroup', namespace: '', name })

/** The API has no more characters for the names of volumes, which end with `-ingress-config`. */
const longest = 48
const nameRule = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/

/** Each Pod mounts the configs of all replicas. */
const mostReplicas = 500
const standardReplicas = 2

/** Names of Tailscale have no more characters. */
const longestHostname = 63

const invalid = (message: string, remedy: string): UserError => new UserError('ProxyGroupInvalid', message, remedy)

/** What a group is for; undefined: the object says nothing that is known. */
export function typeOf({ spec }: KubeObject): GroupType | undefined {
  return proxyGroup.spec.shape.type.safeParse(isJsonObject(spec) ? spec['type'] : undefined).data
}

/** How many replicas an object asks for, also if the rest of it is not valid. */
export function replicasAskedBy({ spec }: KubeObject): number {
  const count = isJsonObject(spec) ? spec['replicas'] : undefined
  return typeof count === 'number' ? Math.min(Math.max(0, count), mostReplicas) : standardReplicas
}

/** @throws UserError if the object cannot be what groups are; `reason` is that of its condition */
export function readGroup(
  object: KubeObject,
  { proxyTags, defaultProxyClass }: Pick<OperatorSettings, 'proxyTags' | 'defaultProxyClass'>,
): Group {
  const { name } = object.metadata
  const { data: spec, error } = z.safeParse(proxyGroup.spec, object['spec'])
  if (error !== undefined) throw invalid(some(issueTexts(error)), 'Correct the spec.')
  const { type, replicas = standardReplicas, hostnamePrefix, tags = [], tailnet, kubeAPIServer } = spec
  mustBeDefaultTailnet(tailnet, 'ProxyGroup', 'ProxyGroupTailnetUnavailable')
  if (name.length > longest || !nameRule.test(name))
    throw invalid(
      `its name "${name}" cannot be used for Pods and volumes`,
      `Choose one of ${longest} letters, digits and hyphens at most.`,
    )
  if (name === authAccount)
    throw invalid(`${name} is the name of the service account of all of them`, 'Choose another.')
  if (replicas > mostReplicas)
    throw invalid(`spec.replicas: ${replicas} are more than ${mostReplicas}`, 'Make several groups.')
  const hostnames = Array.from({ length: replicas }, (_, ordinal) => `${hostnamePrefix ?? name}-${ordinal}`)
  const last = hostnames.at(-1) ?? ''
  if (last.length > longestHostname)
    throw invalid(`spec.hostnamePrefix: the name ${last} has more than ${longestHostname} characters`, 'Shorten it.')
  return {
    object,
    name,
    type,
    replicas,
    hostnames,
    tags: tags.length > 0 ? tags : proxyTags,
    proxyClass: proxyClassOf(object, defaultProxyClass),
    sharesAcmeAccount: readAnnotations(object, 'ProxyGroupInvalid').shareAcmeAccount,
    mode: type === 'kube-apiserver' ? (kubeAPIServer?.mode ?? 'auth') : undefined,
  }
}

/** A group by its name, or why an object cannot use it now: it is absent, invalid, or being deleted. */
export function findGroup(
  world: Pick<World, 'get'>,
  name: string,
  settings: Pick<OperatorSettings, 'proxyTags' | 'defaultProxyClass'>,
): Group | { readonly missing: string } {
  const object = world.get(proxyGroups, name)
  if (object === undefined) return { missing: `ProxyGroup "${name}" does not exist` }
  if (object.metadata.deletionTimestamp !== undefined) return { missing: `ProxyGroup "${name}" is being deleted` }
  try {
    return readGroup(object, settings)
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    return { missing: `ProxyGroup "${name}" cannot be used: ${error.message}` }
  }
}

/** The name of the group whose own object this is, such as a Pod or a Secret of a replica; undefined if it is not one. */
export function groupOf(object: KubeObject | undefined): string | undefined {
  const parent = object && parentOf(object.metadata)
  return parent?.type === 'proxygroup' ? parent.name : undefined
}
