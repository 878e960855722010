import type { KubeObject } from '../../kube/controller/object.ts'
import { listed } from '../../lib/some.ts'
import { authAccount, readGroup } from '../group/group.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import { valid } from './approvals.ts'
import type { Facts } from './facts.ts'
import { error, type Finding, ok, unknown } from './finding.ts'

/** The name of a group whose proxies of the API server impersonate; nothing of others. */
export const impersonating = (object: KubeObject, settings: OperatorSettings): readonly string[] =>
  valid(() => {
    const { name, mode } = readGroup(object, settings)
    return mode === 'auth' ? name : undefined
  })

const check = 'impersonation'

/** Whether the groups that impersonate have the account for that. */
export function judgeImpersonation({ impersonators }: Pick<Facts, 'impersonators'>): readonly Finding[] {
  if ('error' in impersonators) return [unknown(check, impersonators.error)]
  const { groups, hasAccount } = impersonators.value
  if (groups.length === 0) return [ok(check, 'no ProxyGroup impersonates those who use the API of the cluster')]
  if (hasAccount) return [ok(check, `the ServiceAccount ${authAccount} is there for ${listed(groups)}`)]
  const text = `there is no ServiceAccount ${authAccount}, which these ProxyGroups need: ${listed(groups)}`
  const remedy = 'Install the chart with apiServerProxyConfig.allowImpersonation: "true", or set their mode to noauth.'
  return [error(check, text, remedy)]
}
