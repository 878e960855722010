import type { ApiProxyConfig } from '../wire/api-proxy-config.ts'
import type { Caller } from './caller.ts'
import type { Rules } from './capability.ts'
import { type Header, outgoingHeaders } from './headers.ts'
import { Refused } from './refused.ts'
import type { Frame, Received } from './well-formed.ts'

/**
 * The headers with which a request of a caller goes on, names and values in turn.
 * @throws Refused if it may not
 */
export function admit(
  { headers }: Received,
  frame: Frame,
  caller: Caller,
  { mode }: Pick<ApiProxyConfig, 'mode'>,
  authorization: () => string,
): string[] {
  if (mode === undefined) throw new Refused(503, 'disabled', 'the proxy is switched off')
  refuseUnrecorded(caller.rules, frame)
  if (mode === 'auth') refuseForeignPage(headers)
  const impersonation = mode === 'auth' ? { identity: caller.identity, authorization: authorization() } : undefined
  return outgoingHeaders(headers, impersonation)
    .filter(([name]) => frame.hasBody || name.toLowerCase() !== 'content-length')
    .flat()
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

/** Nothing is recorded yet; so what must be is not done. Sessions of all kinds begin with a change of protocol. */
function refuseUnrecorded({ enforcesRecording, recordsRequests, recorders }: Rules, { upgrade }: Frame): void {
  if (!enforcesRecording || (!recordsRequests && recorders.length > 0 && upgrade === undefined)) return
  throw new Refused(403, 'policy', 'the policy wants this recorded, and there is no recorder')
}
