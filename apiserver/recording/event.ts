import { exactNumber } from '../../lib/json.ts'
import type { Caller } from '../caller.ts'
import { requestInfo, splitTarget } from '../request-info.ts'
import type { Received } from '../well-formed.ts'

/** What is recorded of a caller. */
export type Source = Pick<Caller, 'node' | 'nodeId' | 'identity' | 'userId' | 'tags'>

/** The text of an event of the recorders' contract, spelled as that spells it: a request with its body, and who sent it. */
export function eventOf(
  { method, target, headers }: Pick<Received, 'method' | 'target' | 'headers'>,
  body: Buffer,
  { node, nodeId, identity, userId, tags }: Source,
  at: Date,
): string {
  const { path, query } = splitTarget(target)
  const [, userAgent = ''] = headers.find(([name]) => name.toLowerCase() === 'user-agent') ?? []
  return JSON.stringify({
    type: 'kubernetes-api-request',
    id: '',
    timestamp: Math.floor(at.getTime() / 1000),
    userAgent,
    request: {
      method,
      path: target,
      body: body.toString('base64'),
      queryParameters: Object.fromEntries([...new Set(query.keys())].map((name) => [name, query.getAll(name)])),
    },
    kubernetes: kubernetesOf(method, target, path, query),
    source: {
      node,
      nodeID: nodeId,
      ...(tags.length > 0 ? { nodeTags: tags } : { nodeUser: identity.user }),
      ...(userId !== undefined && { nodeUserID: exactNumber(userId) }),
    },
    destination: { node: '', nodeID: '' },
  })
}

function kubernetesOf(method: string, target: string, path: string, query: URLSearchParams): object {
  const { verb, resource } = requestInfo(method, target)
  const { prefix = '', group = '', version = '', name = '', namespace = '', object = '', parts = [] } = resource ?? {}
  const [kind = '', subresource = ''] = name.split('/', 2)
  const selects = ['list', 'watch', 'deletecollection'].includes(verb)
  const selector = (of: string): string => (selects ? (query.get(of) ?? '') : '')
  const [, selected = ''] = /(?:^|,)metadata\.name==?([^,]+)/.exec(selector('fieldSelector')) ?? []
  return {
    IsResourceRequest: resource !== undefined,
    Path: path,
    Verb: verb,
    APIPrefix: prefix,
    APIGroup: group,
    APIVersion: version,
    Namespace: namespace,
    Resource: kind,
    Subresource: subresource,
    Name: object || selected,
    Parts: parts,
    FieldSelector: selector('fieldSelector'),
    LabelSelector: selector('labelSelector'),
  }
}
