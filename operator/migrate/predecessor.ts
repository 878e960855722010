import * as z from 'zod/mini'
import { keyOf, type KubeObject } from '../../kube/controller/object.ts'
import { optional } from '../../lib/json.ts'
import { listed } from '../../lib/some.ts'
import type { Fact } from '../../lib/fact.ts'
import { error, failed, type Finding, ok, warning } from '../../lib/finding.ts'
import { uses } from '../group/uses.ts'
import type { OperatorSettings } from '../settings/settings.ts'

/** What is known of Tailscale's operator, and of what it has made that would stay behind. */
export type Predecessor = {
  readonly namespace: string
  /** All of the namespace. */
  readonly deployments: Fact<readonly KubeObject[]>
  /** Objects of the kinds that this operator does not manage, and all ProxyGroups. */
  readonly objects: Fact<readonly KubeObject[]>
  /** The ID of the node that it had; undefined if its Secret is not there, or has none. */
  readonly operatorId: Fact<string | undefined>
  /** The proxy of the API server that this operator is to have. */
  readonly apiServerProxy: OperatorSettings['apiServerProxy']
}

export const judgePredecessor = (found: Predecessor): readonly Finding[] => [
  ...judgeDeployments(found),
  ...judgeObjects(found.objects),
  ...judgeId(found),
]

const env = z.array(z.object({ name: z.string(), value: optional(z.string()) }))
const deploymentSchema = z.object({
  spec: z.object({
    replicas: optional(z.number()),
    template: z.object({ spec: z.object({ containers: z.array(z.object({ env: optional(env) })) }) }),
  }),
  status: optional(z.object({ replicas: optional(z.number()) })),
})

/** The variable that a Deployment of Tailscale's operator always has, and ours only with a label of its own. */
const mark = 'OPERATOR_INITIAL_TAGS'
const isOurs = ({ labels = {} }: KubeObject['metadata']): boolean => labels['app.kubernetes.io/name'] === 'culvert'
const proxySwitches = new Set(['APISERVER_PROXY', 'AUTH_PROXY'])
const stay = 'Stay with Tailscale’s operator if you need it.'

function judgeDeployments({ deployments, namespace, apiServerProxy }: Predecessor): readonly Finding[] {
  const check = 'predecessor'
  if ('error' in deployments) return [failed('error', check, deployments.error, 'whether it runs is not known: ')]
  const theirs = deployments.value.flatMap(({ metadata, spec, status }) => {
    const read = z.safeParse(deploymentSchema, { spec, status }).data
    const variables = read?.spec.template.spec.containers.flatMap((container) => container.env ?? []) ?? []
    if (read === undefined || isOurs(metadata) || !variables.some((one) => one.name === mark)) return []
    const count = Math.max(read.spec.replicas ?? 1, read.status?.replicas ?? 0)
    const mode = variables.flatMap((one) => (proxySwitches.has(one.name) ? (modes.get(one.value ?? '') ?? []) : []))[0]
    return [{ name: metadata.name, count, mode }]
  })
  if (theirs.length === 0) return [ok(check, `Tailscale’s operator has no Deployment in the namespace ${namespace}`)]
  return theirs.flatMap(({ name, count, mode }) => {
    const words = `the Deployment ${namespace}/${name}`
    const found: Finding[] = []
    if (count > 0) {
      const remedy = `Stop it; the proxies go on: kubectl scale deployment ${name} --namespace ${namespace} --replicas 0`
      found.push(error(check, `Tailscale’s operator still runs: ${words} has ${count} replicas`, remedy))
    } else found.push(ok(check, `Tailscale’s operator is stopped: ${words} has no replicas`))
    return mode === undefined ? found : [...found, judgeApiProxy(mode, words, apiServerProxy)]
  })
}

type Mode = NonNullable<Predecessor['apiServerProxy']>['mode']
const modes: ReadonlyMap<string, Mode> = new Map([
  ['true', 'auth'],
  ['noauth', 'noauth'],
])

/** Whether the proxy that Tailscale's operator is goes on as one of ours. */
function judgeApiProxy(mode: Mode, by: string, ours: Predecessor['apiServerProxy']): Finding {
  const check = 'api-server-proxy'
  const text = `Tailscale’s operator is a proxy of the API server in the mode ${mode}, by ${by}`
  const value = mode === 'auth' ? 'true' : mode
  const remedy = `Set apiServerProxyConfig.mode to "${value}" in the chart, or APISERVER_PROXY=${value}, and it goes on as the same node. If it may end, set that to "false" in Tailscale’s chart first.`
  if (ours === undefined) return error(check, `${text}, and this operator is to have none`, remedy)
  if (ours.mode === mode) return ok(check, `${text}, and so will this operator have one, as ${ours.hostname}`)
  return warning(check, `${text}, and this operator is to have one in the mode ${ours.mode}`, remedy)
}

const groupType = z.object({ spec: z.object({ type: z.string() }) })

function judgeObjects(objects: Fact<readonly KubeObject[]>): readonly Finding[] {
  const check = 'kinds'
  if ('error' in objects) return [failed('error', check, objects.error, 'what there is is not known: ')]
  const left = objects.value.filter(
    (object) =>
      object.kind !== 'ProxyGroup' || !uses.some(({ type }) => type === z.safeParse(groupType, object).data?.spec.type),
  )
  if (left.length === 0) return [ok(check, 'all objects of tailscale.com are of kinds that this operator manages')]
  const names = left.map(({ kind, metadata }) => `${kind} ${keyOf(metadata)}`)
  const remedy = `${stay} Otherwise delete these objects while it runs, so that it removes what it has made for them.`
  return [error(check, `this operator does not manage: ${listed(names)}`, remedy)]
}

function judgeId({ operatorId, objects }: Predecessor): readonly Finding[] {
  const check = 'operator-id'
  const groups = 'value' in objects ? objects.value : []
  const haveServices = new Set(['ingress', 'kube-apiserver'])
  if (!groups.some((object) => haveServices.has(z.safeParse(groupType, object).data?.spec.type ?? ''))) return []
  if ('error' in operatorId) return [failed('error', check, operatorId.error)]
  if (operatorId.value !== undefined)
    return [ok(check, `Tailscale’s operator owned Tailscale Services as ${operatorId.value}, and so will this one`)]
  const text = 'by which ID Tailscale’s operator owned Tailscale Services is not known: its Secret is gone'
  const remedy = 'Set OPERATOR_SECRET to the Secret of its state, or CULVERT_OPERATOR_ID to that ID.'
  return [warning(check, text, remedy)]
}
