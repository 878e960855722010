import { listed } from '../../lib/some.ts'
import type { Read } from '../settings/read.ts'
import type { Fact } from '../../lib/fact.ts'
import type { Namespace, Node } from './facts.ts'
import { error, failed, type Finding, ok, unknown, warning } from '../../lib/finding.ts'
import type { Access } from './rules.ts'

export function judgeSettings(settings: Fact<Read>): readonly Finding[] {
  const check = 'settings'
  if ('error' in settings) return [failed('error', check, settings.error)]
  const { warnings, settings: found } = settings.value
  const remedy = 'Remove it from the operator’s environment, or correct its name.'
  if (warnings.length > 0) return warnings.map((text) => warning(check, text, remedy))
  return [ok(check, `the operator’s environment is valid: proxies run in the namespace ${found.namespace}`)]
}

export const judgeVersion = (version: Fact<string>): readonly Finding[] =>
  'error' in version
    ? [failed('error', 'api-server', version.error)]
    : [ok('api-server', `it answers, and is Kubernetes ${version.value}`)]

export function judgeRights(forbidden: Fact<readonly Access[]>): readonly Finding[] {
  const check = 'rights'
  if ('error' in forbidden) return [unknown(check, forbidden.error)]
  if (forbidden.value.length === 0) return [ok(check, 'the service account may do all that the operator does')]
  const remedy = 'Apply the ClusterRole and the Role of this version, which the manifest and the chart contain.'
  return [error(check, `the service account may not: ${listed(lines(forbidden.value))}`, remedy)]
}

/** What is missing, the verbs on one thing together. */
function lines(missing: readonly Access[]): readonly string[] {
  const verbs = Map.groupBy(missing, ({ group, resource, subresource, name, namespace }) => {
    const what = [resource, subresource].filter(Boolean).join('/') + (group === '' ? '' : `.${group}`)
    const where = namespace === undefined ? 'in all namespaces' : `in ${namespace}`
    return `${what}${name === undefined ? '' : ` "${name}"`} ${where}`
  })
  return [...verbs].map(([what, all]) => `${all.map(({ verb }) => verb).join('+')} ${what}`)
}

/** Which Pods the namespace of the proxies admits. */
export function judgeNamespace(namespace: Fact<Namespace | undefined>): readonly Finding[] {
  const check = 'pod-security'
  if ('error' in namespace) return [unknown(check, namespace.error)]
  if (namespace.value === undefined)
    return [error(check, 'the namespace of the proxies does not exist', 'Correct OPERATOR_NAMESPACE.')]
  const { name, forbiddenBy } = namespace.value
  if (forbiddenBy === undefined) return [ok(check, `the namespace ${name} admits proxies that forward packets`)]
  const text = `the namespace ${name} enforces the level ${forbiddenBy}, which refuses proxies that forward packets: egress, Connectors, and L3 ingress unless it is unprivileged`
  const remedy = `If you need these: kubectl label namespace ${name} --overwrite pod-security.kubernetes.io/enforce=privileged`
  return [warning(check, text, remedy)]
}

/** Before this version of Linux, nftables does not translate addresses in a table for both families. */
const natInBoth = [5, 2] as const

export function judgeNodes(nodes: Fact<readonly Node[]>): readonly Finding[] {
  const check = 'nodes'
  if ('error' in nodes) return [unknown(check, nodes.error)]
  const all = nodes.value
  if (all.length === 0) return [warning(check, 'the cluster has none', 'Add nodes: Pods wait for them.')]
  const silent = all.filter(({ os }) => os === '')
  const usable = all.filter(runsImage)
  const other = all.filter((node) => node.os !== '' && !runsImage(node))
  const old = usable.filter(isOld)
  const found: Finding[] = []
  if (other.length > 0) {
    const names = inWords(other, ({ os, architecture }) => `${os}/${architecture}`)
    const text = `proxies need Linux on amd64 or arm64, and cannot run on ${names}`
    const remedy = 'Keep proxies away from there, by nodeSelector or affinity in a ProxyClass.'
    found.push((other.length === all.length ? error : warning)(check, text, remedy))
  }
  if (old.length > 0) {
    const names = inWords(old, ({ kernel }) => kernel)
    const text = `Linux before ${natInBoth.join('.')} may lack what nftables needs, so that proxies use iptables there: ${names}`
    const remedy = 'docs/firewall.md says what iptables needs of the kernel, and how it differs.'
    found.push(warning(check, text, remedy))
  }
  if (silent.length > 0) {
    const text = `it is not known yet what they are: ${listed(silent.map(({ name }) => name))}`
    found.push(warning(check, text, 'Check that kubelet runs there.'))
  }
  return found.length > 0 ? found : [ok(check, `all ${all.length} run Linux with a kernel that is new enough`)]
}

const runsImage = ({ os, architecture }: Node): boolean => os === 'linux' && ['amd64', 'arm64'].includes(architecture)

/** A version that is not understood is not held against the node. */
function isOld({ kernel }: Node): boolean {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(kernel) ?? []
  if (major === undefined) return false
  return Number(major) < natInBoth[0] || (Number(major) === natInBoth[0] && Number(minor) < natInBoth[1])
}

const inWords = (nodes: readonly Node[], what: (node: Node) => string): string =>
  listed(nodes.map((node) => `${node.name} (${what(node)})`))
