import type { Caller } from './caller.ts'
import type { Origin } from '../lib/proxy-header.ts'
import type { Refused } from './refused.ts'
import type { RequestInfo } from './request-info.ts'

/** What is known of a request when it ends, or when a session has begun. */
export type Audited = {
  /** By which the API server's own audit knows it; undefined if it has not answered. */
  readonly id: string | undefined
  /** `unrecorded`: the recording has broken off, and the session goes on. */
  readonly stage: 'started' | 'unrecorded' | 'ended'
  /** Undefined if the connection has not said it. */
  readonly origin: Origin | undefined
  /** Undefined if it was refused before it was known. */
  readonly caller: Caller | undefined
  /** Whether the API server took it for a request of the caller. */
  readonly impersonated: boolean
  readonly method: string
  readonly target: string
  readonly info: RequestInfo
  /** Of the answer; undefined if none was sent. */
  readonly status: number | undefined
  readonly ms: number
  readonly refused: Refused | undefined
  /** The address of the recorder that has it, or had it until `unrecorded`. */
  readonly recorder?: string | undefined
  /** Why it was not recorded, or not to its end, though the policy names recorders. */
  readonly unrecorded?: string | undefined
  /** The address of the recorder that has the request itself, or why there is none, if the policy wants it recorded. */
  readonly event?: { readonly recorder: string | undefined; readonly unrecorded: string | undefined } | undefined
  /** Why it was cut off. */
  readonly cut: string | undefined
}

/** The longest text of others in a line. */
const most = 500

/**
 * One line of the audit: JSON, in an order for people. Queries are left out, since they may hold secrets: the arguments
 * of a command, for example.
 */
export function auditLine(time: Date, audited: Audited): string {
  const { origin, caller, info, refused } = audited
  const { resource } = info
  // What is undefined is left out.
  const line = {
    time: time.toISOString(),
    stage: audited.stage,
    auditId: audited.id,
    ...(origin && { from: origin.address.text }),
    ...(caller && { node: caller.node, nodeId: caller.nodeId, user: caller.identity.user }),
    ...(caller && audited.impersonated && { groups: caller.identity.groups.slice(0, 100) }),
    method: audited.method,
    verb: info.verb,
    ...(resource && {
      ...(resource.group !== '' && { group: resource.group }),
      resource: resource.name,
      ...(resource.namespace !== '' && { namespace: resource.namespace }),
      ...(resource.object !== '' && { name: resource.object }),
    }),
    ...(!resource && { path: audited.target.replace(/\?.*/s, '') }),
    status: audited.status,
    ms: Math.round(audited.ms),
    ...(refused && { refused: refused.reason, message: refused.message }),
    recorder: audited.recorder,
    unrecorded: audited.unrecorded,
    eventRecorder: audited.event?.recorder,
    eventUnrecorded: audited.event?.unrecorded,
    cut: audited.cut,
  }
  return `${JSON.stringify(line, (_, value: unknown) => (typeof value === 'string' ? value.slice(0, most) : value))}\n`
}
