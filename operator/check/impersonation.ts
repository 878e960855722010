import type { KubeObject } from '../../kube/controller/object.ts'
import { listed } from '../../lib/some.ts'
import { readGroup } from '../group/group.ts'
import { authAccount } from '../proxy/account.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import { valid } from './approvals.ts'
import type { Facts } from './facts.ts'
import { error, type Finding, ok, unknown } from '../../lib/finding.ts'

/** A group whose proxies of the API server impersonate; nothing of others. */
export const impersonating = (object: KubeObject, settings: OperatorSettings): readonly string[] =>
  valid(() => {
    const { name, mode } = readGroup(object, settings)
    return mode === 'auth' ? `ProxyGroup ${name}` : undefined
  })

/** The same of the proxy of the operator's settings. */
export const ownImpersonating = ({ apiServerProxy }: Pick<OperatorSettings, 'apiServerProxy'>): readonly string[] =>
  apiServerProxy?.mode === 'auth' ? ['APISERVER_PROXY'] : []

const check = 'impersonation'

/** Whether the proxies that impersonate have the account for that. */
export function judgeImpersonation({ impersonators }: Pick<Facts, 'impersonators'>): readonly Finding[] {
  if ('error' in impersonators) return [unknown(check, impersonators.error)]
  const { all, hasAccount } = impersonators.value
  if (all.length === 0) return [ok(check, 'no proxy impersonates those who use the API of the cluster')]
  if (hasAccount) return [ok(check, `the ServiceAccount ${authAccount} is there for ${listed(all)}`)]
  const text = `there is no ServiceAccount ${authAccount}, which these need: ${listed(all)}`
  const remedy =
    'Install the chart with apiServerProxyConfig.mode or allowImpersonation: "true", or set their mode to noauth.'
  return [error(check, text, remedy)]
}
