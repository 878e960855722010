import type { ApiProxyConfig } from '../wire/api-proxy-config.ts'
import type { Caller } from './caller.ts'
import type { Rules } from './capability.ts'
import { type Header, outgoingHeaders } from './headers.ts'
import type { Session } from './recording/session.ts'
import { Refused } from './refused.ts'
import { splitTarget } from './request-info.ts'
import type { Frame, Received } from './well-formed.ts'

/**
 * The headers with which a request of a caller goes on, names and values in turn. `session` is what it begins, if that
 * can be recorded.
 * @throws Refused if it may not
 */
export function admit(
  { headers, target }: Received,
  frame: Frame,
  caller: Caller,
  { mode }: Pick<ApiProxyConfig, 'mode'>,
  authorization: () => string,
  session?: Session,
): string[] {
  if (mode === undefined) throw new Refused(503, 'disabled', 'the proxy is switched off')
  refuseUnrecorded(caller.rules, frame, target, session)
  if (mode === 'auth') refuseForeignPage(headers)
  const impersonation = mode === 'auth' ? { identity: caller.identity, authorization: authorization() } : undefined
  return (
    outgoingHeaders(headers, impersonation)
      .filter(([name]) => frame.hasBody || name.toLowerCase() !== 'content-length')
      // What is recorded must not be compressed.
      .filter(([name]) => session === undefined || name.toLowerCase() !== 'sec-websocket-extensions')
      .flat()
  )
}

/**
 * With impersonation, the device is all that a request needs to be somebody's; so any page in a browser on it could ask,
 * and open sessions, as its user. Browsers say which page it is. Some clients that are no browsers send an Origin, too,
 * which is the server's own.
 */
function refuseForeignPage(headers: readonly Header[]): void {
  const all = (name: string): string[] => headers.flatMap(([one, value]) => (one.toLowerCase() === name ? [value] : []))
  const [host = ''] = [...all(':authority'), ...all('host')].map((one) => URL.parse(`https://${one}`)?.host)
  const isForeign =
    all('sec-fetch-site').some((site) => site !== 'same-origin' && site !== 'none') ||
    all('origin').some((origin) => host === '' || URL.parse(origin.trim())?.host !== host)
  if (isForeign) throw new Refused(403, 'foreign-page', 'a page of another site may not use this')
}

/**
 * What must be recorded, and cannot be, is not done: requests, and sessions other than those of `sessionOf`. All begin
 * with a change of protocol, but those of kubelet.
 */
function refuseUnrecorded(
  { enforcesRecording, recorders }: Rules,
  { upgrade }: Frame,
  target: string,
  session: Session | undefined,
): void {
  if (!enforcesRecording) return
  if (recorders.length === 0) throw new Refused(403, 'policy', 'the policy wants this recorded, and names no recorder')
  if (reachesKubelet(target) || (upgrade !== undefined && session === undefined))
    throw new Refused(403, 'policy', 'the policy wants sessions recorded, which cannot be done with this one')
}

/** Kubelet's own API, behind the proxy of a node, also runs commands without a change of protocol (`run`). */
function reachesKubelet(target: string): boolean {
  const parts = splitTarget(target).path.split('/')
  return parts.includes('nodes') && parts.includes('proxy')
}
