import { dirname } from 'node:path'
import { conceal } from '../../lib/conceal.ts'
import { parseRetryAfter } from '../../lib/retry-after.ts'
import { type Dialect, NoAnswerInTime, type Refusal, type TransportRequest } from '../../lib/transport.ts'
import { parseRefusal } from './answers.ts'
import type { CredentialFiles } from './credentials.ts'
import { ApiError, type Feature, type Problem } from './error.ts'
import { pauseOf } from './retry.ts'

export type ApiRequest = TransportRequest & {
  /** What it is for, as in "… was refused". */
  readonly action: string
  readonly feature: Feature
}

/** Whether a request is for a token, not by one. */
const isForToken = ({ feature }: ApiRequest): boolean => feature === 'oauth' || feature === 'token-exchange'

/** The longest pause that a server can ask for, in milliseconds: a mistake there must not stop the operator for long. */
const longestHold = 10 * 60_000

/** How the API's failures are told and what is asked again. `now` is in milliseconds since 1970, `files` are the credentials. */
export const dialect = (now: () => number, files: CredentialFiles): Dialect<ApiRequest> => ({
  refusal: (request, refusal) => refused(request, refusal, now(), files),
  unanswered: ({ action }, url, cause) =>
    new ApiError(`Tailscale API: ${action} failed`, {
      problem: 'unavailable',
      cause,
      isLate: cause instanceof NoAnswerInTime,
      remedy: `Check that the operator's Pod reaches ${url} (DNS, network policies), and trusts its certificate.`,
    }),
  misunderstood: ({ action }, status, cause) =>
    new ApiError(`Tailscale API: ${action}: the answer cannot be used`, {
      problem: 'unavailable',
      status,
      cause,
      remedy: notTheServer,
    }),
  pause: (request, failure, ...rest) =>
    // What was refused for a token will be refused again; in other cases it may have expired just now.
    failure.status === 401 && isForToken(request) ? undefined : pauseOf(request, failure, ...rest),
})

const notTheServer = 'Check that OPERATOR_LOGIN_SERVER is the URL of the control server itself.'

function refused(
  request: ApiRequest,
  { status, body, header, hidden }: Refusal,
  now: number,
  files: CredentialFiles,
): ApiError {
  const said = parseRefusal(body)
  const problem = problemOf(request, status, said !== undefined)
  const retryAfterMs = parseRetryAfter(header('retry-after'), now)
  const text = conceal(said ?? '', hidden).slice(0, 500)
  const how =
    problem === 'no-route'
      ? 'is not possible: this control server does not have that part of the API'
      : `${problem === 'unavailable' || problem === 'limited' ? 'failed' : 'was refused'}: ${status} ${text}`.trim()
  return new ApiError(`Tailscale API: ${request.action} ${how}`, {
    problem,
    status,
    retryAfterMs: retryAfterMs && Math.min(retryAfterMs, longestHold),
    feature: request.feature,
    remedy: problem === 'credentials' ? renew(files) : remedyOf(problem, request.feature, status),
  })
}

/** `isSaid`: the API itself says why, not something on the way to it. */
function problemOf(request: ApiRequest, status: number, isSaid: boolean): Problem {
  if (status === 404 && !isSaid) return 'no-route'
  if (status === 429) return 'limited'
  // Redirects are not followed, and 408 is said of a connection.
  if (status < 400 || status === 408 || status >= 500) return 'unavailable'
  if (status === 401 || isForToken(request)) return 'credentials'
  return status === 403 ? 'forbidden' : 'refused'
}

const renew = (files: CredentialFiles): string =>
  files.type === 'oauth-client'
    ? `Put the ID and secret of an OAuth client that still exists into the Secret that is mounted at ${dirname(files.secretFile)}.`
    : 'Let the tailnet trust the token of the service account, and correct CLIENT_ID.'

function remedyOf(problem: Problem, feature: Feature, status: number): string | undefined {
  if (problem === 'no-route') return remedies[feature]
  if (problem === 'forbidden' && feature === 'settings') return 'The scope feature_settings:read allows it.'
  if (problem === 'forbidden' && feature === 'dns') return 'The scope dns:read allows it.'
  if (problem === 'forbidden' && feature === 'policy') return 'The scope policy_file:read allows it.'
  if (problem === 'forbidden')
    return 'The OAuth client needs the scopes auth_keys, devices:core and services, and a tag that owns the tags of proxies (tagOwners).'
  if (problem === 'refused' && feature === 'keys')
    return "Each tag must be in the tailnet policy's tagOwners, owned by a tag of the OAuth client."
  if (problem === 'limited')
    return 'It is tried again once the server allows it. If that lasts, something else uses up the limit: other programs with credentials of this tailnet, or another operator.'
  if (status >= 500)
    return 'It is tried again. If that lasts, look at https://status.tailscale.com, or at the log of your own control server and of what is before it.'
  return status >= 300 && status < 400 ? notTheServer : undefined
}

const ofApi = 'Check OPERATOR_LOGIN_SERVER; Headscale has this API only in versions after 0.29.'

const remedies: Readonly<Record<Feature, string>> = {
  oauth: ofApi,
  keys: ofApi,
  devices: ofApi,
  'vip-services': 'Tailscale Services need a control server that has them; Headscale does not.',
  settings: 'Headscale issues no certificates, which Ingresses need.',
  policy: 'With Headscale, the policy is in its configuration.',
  dns: 'With Headscale, dns.magic_dns in its configuration says it.',
  'token-exchange': 'Use an OAuth client (CLIENT_ID_FILE, CLIENT_SECRET_FILE) instead of workload identity.',
}
