import { ApiError, type Feature } from '../api/error.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import type { Fact } from '../../lib/fact.ts'
import type { Facts } from './facts.ts'
import { failed, type Finding, ok, unknown, warning } from '../../lib/finding.ts'

/** Parts of the API without which only some objects cannot be had. */
const optional = new Set<Feature | undefined>(['vip-services'])

/** Which parts of Tailscale's API can be used. */
export function judgeApi(unusable: Facts['unusable']): readonly Finding[] {
  const check = 'tailscale-api'
  if ('error' in unusable) return [failed('error', check, unusable.error)]
  const found = unusable.value.map((problem) =>
    optional.has(problem.feature)
      ? failed('warning', check, problem, 'ProxyGroups for ingress do not work: ')
      : failed('error', check, problem),
  )
  return found.length > 0 ? found : [ok(check, 'the credentials work, for devices, keys and Services')]
}

/** The tags that proxies get by the settings. */
export const tagsIn = ({ proxyTags, apiServerProxy }: OperatorSettings): readonly string[] => [
  ...new Set([...proxyTags, ...(apiServerProxy?.tags ?? [])]),
]

/** Whether proxies can be given their tags. `tags`: undefined if the settings are not known. */
export function judgeTags(key: Facts['key'], tags: readonly string[] | undefined): readonly Finding[] {
  const check = 'tags'
  if ('error' in key) {
    const isRefusal = key.error instanceof ApiError && !key.error.retryable
    return [isRefusal ? failed('error', check, key.error) : unknown(check, key.error)]
  }
  if ('error' in key.value)
    return [failed('warning', check, key.value.error, 'a key for the check was made, which expires in a minute: ')]
  return [ok(check, `a key for ${tags?.join(', ') ?? ''} could be made, and was removed`)]
}

export const judgeHttps = (https: Facts['https']): readonly Finding[] =>
  judgeSwitch('https', https, 'HTTPS', 'Ingresses get no certificates')

export const judgeMagicDns = (magicDns: Facts['magicDns']): readonly Finding[] =>
  judgeSwitch('magic-dns', magicDns, 'MagicDNS', 'nodes do not find proxies by name, and HTTPS cannot be switched on')

/** `without`: what does not work when it is off. */
function judgeSwitch(
  check: string,
  value: Fact<boolean | undefined>,
  name: string,
  without: string,
): readonly Finding[] {
  const page = 'the page DNS of the admin console'
  const look = `Look at ${page}.`
  if ('error' in value) {
    const finding = unknown(check, value.error)
    const isThere = !(value.error instanceof ApiError && value.error.problem === 'no-route')
    return [isThere ? { ...finding, remedy: [look, finding.remedy].filter(Boolean).join(' ') } : finding]
  }
  if (value.value === undefined) return [warning(check, 'not known: the server does not say', look)]
  return [
    value.value
      ? ok(check, `${name} is on`)
      : warning(check, `${name} is off: ${without}`, `Switch it on, on ${page}.`),
  ]
}
