import { readFile } from 'node:fs/promises'

/** What the API server's audit log says of a request for objects. */
export type Audited = {
  /** `list` and `watch` included. */
  readonly verb: string
  /** Empty for the core group. */
  readonly group: string
  /** With its subresource: `services/status`. */
  readonly resource: string
  readonly namespace: string | undefined
  /** Also that of a selector for one name. */
  readonly name: string | undefined
  readonly code: number
}

/** Requests of service accounts, and of each only who asks for what: no contents. */
export const auditPolicy = JSON.stringify({
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [{ level: 'Metadata', userGroups: ['system:serviceaccounts'] }, { level: 'None' }],
})

/** The options of an API server that keeps such a log. */
export const auditOptions = (policy: string, log: string): readonly string[] => [
  `--audit-policy-file=${policy}`,
  `--audit-log-path=${log}`,
  // Megabytes; what is older than two files is dropped.
  '--audit-log-maxsize=64',
  '--audit-log-maxbackup=1',
]

type Event = {
  readonly verb: string
  readonly user: { readonly username: string }
  readonly objectRef?: {
    readonly apiGroup?: string
    readonly resource?: string
    readonly subresource?: string
    readonly namespace?: string
    readonly name?: string
  }
  readonly responseStatus?: { readonly code?: number }
}

/** The requests of a user for objects that a log has, in the order of their answers. */
export async function readAudit(log: string, user: string): Promise<readonly Audited[]> {
  const lines = (await readFile(log, 'utf8')).split('\n')
  // The last one is empty, or being written.
  return lines.slice(0, -1).flatMap((line) => {
    const { verb, user: by, objectRef, responseStatus } = JSON.parse(line) as Event
    if (by.username !== user || objectRef?.resource === undefined) return []
    const { apiGroup: group = '', subresource, namespace, name } = objectRef
    const resource = [objectRef.resource, subresource].filter(Boolean).join('/')
    return [{ verb, group, resource, namespace, name, code: responseStatus?.code ?? 0 }]
  })
}
