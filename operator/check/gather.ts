import type { ClusterAccess } from '../../kube/controller/cluster.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import type { Resource, Scope } from '../../kube/controller/resource.ts'
import { KubeError } from '../../kube/error.ts'
import type { ApiRequest } from '../../kube/requests.ts'
import { limited } from '../../lib/limit.ts'
import type { TailscaleApi } from '../api/api.ts'
import { group, labels, version } from '../objects/names.ts'
import * as resources from '../objects/resources.ts'
import { authAccount } from '../proxy/account.ts'
import type { Read } from '../settings/read.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import { scopesOf } from '../world/followed.ts'
import { forbiddenBy } from '../world/pod-security.ts'
import * as answers from './answers.ts'
import { type Fact, factOf, valueOf } from '../../lib/fact.ts'
import type { Facts, Namespace, ServedKinds, Wish } from './facts.ts'
import { wishOfConnector, wishOfGroup } from './approvals.ts'
import { impersonating, ownImpersonating } from './impersonation.ts'
import { type Access, accesses } from './rules.ts'
import { tagsIn } from './tailnet.ts'
import { tunOfEvent, tunOfPod } from './tun.ts'

/** Where the facts come from. */
export type Sources = {
  readonly settings: () => Promise<Read>
  readonly connect: () => Promise<Pick<ClusterAccess, 'api' | 'ask'>>
  readonly tailnet: (read: Read) => TailnetApi
}
type TailnetApi = Pick<TailscaleApi, 'check' | 'mintKey' | 'removeKey' | 'autoApprovers' | 'hasHttps' | 'hasMagicDns'>
type Cluster = Awaited<ReturnType<Sources['connect']>>

/** How many requests run at once. */
const atOnce = 8

/** Finds out everything, until `signal` aborts; what could not be found out has the reason. Never rejects. */
export async function gather(sources: Sources, signal: AbortSignal): Promise<Facts> {
  const [settings, cluster] = await Promise.all([factOf(signal, sources.settings), factOf(signal, sources.connect)])
  const tailnet = 'value' in settings ? { value: sources.tailnet(settings.value) } : withoutSettings
  const own = () => of('value' in settings ? settings : withoutSettings).settings
  const ofCluster = <T>(find: (cluster: Cluster) => Promise<T>) => factOf(signal, async () => find(of(cluster)))
  const ofTailnet = <T>(find: (tailnet: TailnetApi) => Promise<T>) => factOf(signal, async () => find(of(tailnet)))
  const every = <T>(resource: Resource, read: (object: KubeObject) => readonly T[]) =>
    ofCluster(async ({ api }) => {
      const scopes = scopesOf({ resource, scope: {} }, valueOf(settings)?.settings.namespaces ?? [])
      return (await Promise.all(scopes.map((scope) => readAll(api, { resource, scope }, read, signal)))).flat()
    })
  const [
    apiServer,
    kinds,
    forbidden,
    namespace,
    nodes,
    services,
    pods,
    wishes,
    impersonators,
    tuns,
    key,
    unusable,
    approvers,
    https,
    magicDns,
  ] = await Promise.all([
    ofCluster(async ({ ask }) => answers.readVersion(await ask(get('the version', '/version'), signal))),
    ofCluster((access) => kindsOf(access, signal)),
    ofCluster((access) => forbiddenOf(access, own(), signal)),
    ofCluster((access) => namespaceOf(access, own().namespace, signal)),
    every(resources.nodes, (node) => [answers.readNode(node)]),
    every(resources.services, answers.usedByService),
    every(resources.endpointSlices, answers.usedByPods),
    ofCluster(({ api }) => wishesIn(api, own(), signal)),
    ofCluster(({ api }) => impersonatorsIn(api, own(), signal)),
    ofCluster(({ api }) => tunsIn(api, own().namespace, signal)),
    ofTailnet((api) => tryKey(api, tagsIn(own()), signal)),
    ofTailnet((api) => api.check(signal)),
    ofTailnet((api) => api.autoApprovers(signal)),
    ofTailnet((api) => api.hasHttps(signal)),
    ofTailnet((api) => api.hasMagicDns(signal)),
  ])
  const ofBoth = { wishes, impersonators, approvers, tuns, key, unusable, https, magicDns }
  return { settings, apiServer, kinds, forbidden, namespace, nodes, services, pods, ...ofBoth }
}

const withoutSettings = { error: new Error('the settings cannot be used') }

/** @throws what the fact has instead of a value */
function of<T>(fact: Fact<T>): T {
  if ('value' in fact) return fact.value
  throw fact.error
}

const get = (object: string, path: string): ApiRequest => ({ verb: 'get', object, method: 'GET', path })

/** All pages of a kind, in all namespaces or one, of which only what `read` makes of them is kept. */
export async function readAll<T>(
  api: Cluster['api'],
  { resource, scope }: { readonly resource: Resource; readonly scope: Scope },
  read: (object: KubeObject) => readonly T[],
  signal: AbortSignal,
): Promise<readonly T[]> {
  const all: T[] = []
  let next: string | undefined
  do {
    const page = await api.page(resource, { scope, limit: 500, next }, signal)
    for (const object of page.objects) all.push(...read(object))
    next = page.next
  } while (next !== undefined)
  return all
}

async function wishesIn(api: Cluster['api'], settings: OperatorSettings, signal: AbortSignal) {
  const every = (resource: Resource, find: (object: KubeObject) => readonly Wish[]) =>
    readAll(api, { resource, scope: {} }, find, signal)
  const ofConnectors = every(resources.connectors, (object) => wishOfConnector(object, settings))
  const ofGroups = every(resources.proxyGroups, (object) => wishOfGroup(object, settings))
  return (await Promise.all([ofConnectors, ofGroups])).flat()
}

async function impersonatorsIn(api: Cluster['api'], settings: OperatorSettings, signal: AbortSignal) {
  const find = (object: KubeObject) => impersonating(object, settings)
  const groups = await readAll(api, { resource: resources.proxyGroups, scope: {} }, find, signal)
  const account = { namespace: settings.namespace, name: authAccount }
  const all = [...ownImpersonating(settings), ...groups]
  const hasAccount = all.length > 0 && (await api.get(resources.serviceAccounts, account, signal)) !== undefined
  return { all, hasAccount }
}

/** What Pods of proxies and kubelet's Events about them tell of nodes. */
async function tunsIn(api: Cluster['api'], namespace: string, signal: AbortSignal) {
  const pods = { resource: resources.pods, scope: { namespace, labels: `${labels.managed}=true` } }
  const events = { resource: resources.events, scope: { namespace, fields: 'reason=FailedMount' } }
  const all = [readAll(api, pods, tunOfPod, signal), readAll(api, events, tunOfEvent, signal)]
  return (await Promise.all(all)).flat()
}

/** Our kinds, from documents that everybody may read; the definitions themselves need a right. */
async function kindsOf({ ask }: Cluster, signal: AbortSignal): Promise<ServedKinds> {
  const path = `/apis/${group}/${version}`
  try {
    const served = answers.readResources(await ask(get(`the kinds of ${group}`, path), signal))
    const request = { ...get(`the schemas of ${group}`, `/openapi/v3${path}`), maxBytes: schemaBytes }
    return { resources: served, schemas: answers.readSchemas(await ask(request, signal)) }
  } catch (error) {
    if (!(error instanceof KubeError && error.status === 404)) throw error
    return { resources: new Set(), schemas: new Map() }
  }
}

const schemaBytes = 32 * 1024 * 1024

async function forbiddenOf(
  { ask }: Cluster,
  settings: OperatorSettings,
  signal: AbortSignal,
): Promise<readonly Access[]> {
  const turn = limited(atOnce)
  const reviews = accesses(settings).map((access) =>
    turn(async () => (answers.isAllowed(await ask(reviewOf(access), signal)) ? [] : [access])),
  )
  return (await Promise.all(reviews)).flat()
}

function reviewOf(access: Access): ApiRequest {
  const apiVersion = 'authorization.k8s.io/v1'
  const body = { apiVersion, kind: 'SelfSubjectAccessReview', spec: { resourceAttributes: access } }
  return {
    verb: 'create',
    object: 'SelfSubjectAccessReviews',
    method: 'POST',
    path: `/apis/${apiVersion}/selfsubjectaccessreviews`,
    body: { type: 'application/json', text: JSON.stringify(body) },
  }
}

async function namespaceOf({ api }: Cluster, name: string, signal: AbortSignal): Promise<Namespace | undefined> {
  const found = await api.get(resources.namespaces, { name }, signal)
  return found && { name, forbiddenBy: forbiddenBy({ get: () => found }, name) }
}

/** Only an attempt shows whether the credentials may give these tags. The key is not kept. */
async function tryKey(api: TailnetApi, tags: readonly string[], signal: AbortSignal): Promise<Fact<void>> {
  const { id } = await api.mintKey({ tags, description: 'culvert check', expirySeconds: 60 }, signal)
  return factOf(signal, () => api.removeKey(id, signal))
}
