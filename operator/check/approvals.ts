import { UserError } from '../../kube/controller/controller.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import { contains, parsePrefix, type Prefix } from '../../lib/address.ts'
import { listed } from '../../lib/some.ts'
import type { AutoApprovers } from '../api/api.ts'
import { read } from '../connector/request.ts'
import { withExits } from '../connector/routes.ts'
import { readGroup } from '../group/group.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import type { Facts, Wish } from './facts.ts'
import { type Finding, ok, unknown, warning } from '../../lib/finding.ts'

/** What Connectors ask for; nothing of one that is not valid. */
export const wishOfConnector = (object: KubeObject, { proxyTags }: Pick<OperatorSettings, 'proxyTags'>) =>
  valid((): Wish => {
    const { spec, subnets, apps } = read(object)
    const routes = [...subnets, ...apps]
    const { tags = [], exitNode = false } = spec
    const wants = exitNode ? withExits(routes) : routes
    return { by: `Connector ${object.metadata.name}`, tags: tags.length > 0 ? tags : proxyTags, wants }
  })

/** The same of a ProxyGroup whose replicas host Tailscale Services. */
export const wishOfGroup = (object: KubeObject, settings: OperatorSettings) =>
  valid((): Wish | undefined => {
    const { name, type, tags } = readGroup(object, settings)
    return type === 'egress' ? undefined : { by: `ProxyGroup ${name}`, tags, wants: 'services' }
  })

/** What is found in an object; nothing if there is nothing, or if the object is not valid. */
export function valid<T>(find: () => T | undefined): readonly T[] {
  try {
    const wish = find()
    return wish === undefined ? [] : [wish]
  } catch (error) {
    if (error instanceof UserError) return []
    throw error
  }
}

const check = 'auto-approvers'
const remedy =
  'Approve them in the admin console each time, or name a tag of theirs in autoApprovers of the tailnet’s policy.'

/** Whether the tailnet approves by itself what Connectors and ProxyGroups ask for. */
export function judgeApprovals({ wishes, approvers }: Pick<Facts, 'wishes' | 'approvers'>): readonly Finding[] {
  if ('error' in wishes) return [unknown(check, wishes.error)]
  const all = wishes.value.filter(({ wants }) => wants.length > 0)
  if (all.length === 0) return [ok(check, 'nothing in the cluster needs the tailnet’s approval')]
  if ('error' in approvers) return [unknown(check, approvers.error)]
  const lacks = all.flatMap((wish) => lackOf(wish, approvers.value))
  if (lacks.length === 0) return [ok(check, 'the tailnet approves all routes and Tailscale Services by itself')]
  return [warning(check, `the tailnet does not approve by itself: ${listed(lacks)}`, remedy)]
}

function lackOf({ by, tags, wants }: Wish, { routes, exitNode, services }: AutoApprovers): readonly string[] {
  const has = (approved: readonly string[]): boolean => tags.some((tag) => approved.includes(tag))
  if (wants === 'services') return services.some(has) ? [] : [`Tailscale Services of ${by}`]
  const isApproved = (route: Prefix): boolean =>
    route.bits === 0
      ? has(exitNode)
      : routes.some(({ network, by: approved }) => isWithin(route, network) && has(approved))
  return wants.filter((route) => !isApproved(route)).map(({ text }) => `${text} of ${by}`)
}

function isWithin(route: Prefix, text: string): boolean {
  const network = parsePrefix(text)
  return network !== undefined && contains(network, route)
}
