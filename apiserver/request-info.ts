/** What a request is about, in Kubernetes' own terms. */
export type RequestInfo = {
  /** Such as `get`, `list` or `watch`; for what is no resource the method in lower case. */
  readonly verb: string
  /** Absent for what is no resource. */
  readonly resource?: Resource
}

export type Resource = {
  /** Of the path: `api` or `apis`. */
  readonly prefix: string
  readonly version: string
  /** What follows in the path, beginning with the resource. */
  readonly parts: readonly string[]
  /** Empty for the core group. */
  readonly group: string
  /** With its subresource, such as `pods/exec`. */
  readonly name: string
  /** Empty if it has none. */
  readonly namespace: string
  /** The object's name; empty for all of them. */
  readonly object: string
}

const verbs: ReadonlyMap<string, string> = new Map([
  ['POST', 'create'],
  ['GET', 'get'],
  ['HEAD', 'get'],
  ['PUT', 'update'],
  ['PATCH', 'patch'],
  ['DELETE', 'delete'],
])

/** Reads method and target by the rules of Kubernetes (RequestInfoFactory); only for people, it decides nothing. */
export function requestInfo(method: string, target: string): RequestInfo {
  const { path, query } = splitTarget(target)
  const nonResource: RequestInfo = { verb: method.toLowerCase() }
  const parts = path.split('/').filter((part) => part !== '')
  const prefix = parts.shift()
  if ((prefix !== 'api' && prefix !== 'apis') || parts.length < (prefix === 'api' ? 2 : 3)) return nonResource
  const group = prefix === 'api' ? '' : (parts.shift() ?? '')
  const version = parts.shift() ?? ''
  const isLegacy = parts.length > 1 && (parts[0] === 'watch' || parts[0] === 'proxy')
  const legacy = isLegacy ? parts.shift() : undefined
  let namespace = ''
  if (parts[0] === 'namespaces' && parts.length > 1) {
    namespace = parts[1] ?? ''
    if (parts.length > 2 && parts[2] !== 'status' && parts[2] !== 'finalize') parts.splice(0, 2)
  }
  const [kind = '', object = '', subresource = ''] = parts
  const isProxy = legacy === 'proxy'
  const name = subresource === '' || isProxy ? kind : `${kind}/${subresource}`
  const verb = legacy ?? withoutName(verbs.get(method) ?? method.toLowerCase(), object, query)
  return { verb, resource: { prefix, group, version, name, namespace, object, parts } }
}

function withoutName(verb: string, object: string, query: URLSearchParams): string {
  if (object !== '') return verb
  if (verb === 'delete') return 'deletecollection'
  if (verb !== 'get') return verb
  return /^(?:1|t|true)$/i.test(query.get('watch') ?? '') ? 'watch' : 'list'
}

/** The path of a target, decoded once, as the API server does, and its query. */
export function splitTarget(target: string): { path: string; query: URLSearchParams } {
  const mark = target.indexOf('?')
  const path = mark < 0 ? target : target.slice(0, mark)
  return { path: decoded(path), query: new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1)) }
}

/** What is no UTF-8 hides nothing of the rest. */
function decoded(path: string): string {
  const bytes = path.replaceAll(/%([\da-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return Buffer.from(bytes, 'latin1').toString('utf8')
}
