import type { Clock } from '../../lib/clock.ts'
import { type Account, type Credentials, transport } from '../../lib/transport.ts'
import { type Granted, parseToken } from './answers.ts'
import type { CredentialFiles, Proof } from './credentials.ts'
import { dialect } from './dialect.ts'
import { ApiError } from './error.ts'

/** The control server's URL, in two parts; `prefix` has no slash at the end. */
export type Base = { readonly origin: string; readonly prefix: string }

/** A request for a token as a whole, in milliseconds; less than a call by it, which shall say what failed. */
const tokenMs = 15_000

const userAgent = { 'User-Agent': 'culvert-operator' }

/** The credentials of a request with this header. */
export const authorizedBy = (scheme: 'Basic' | 'Bearer', value: string): Credentials => ({
  headers: { ...userAgent, Authorization: `${scheme} ${value}` },
  hidden: [value],
  tls: {},
})

export const tokenFeatureOf = ({ type }: CredentialFiles): 'oauth' | 'token-exchange' =>
  type === 'oauth-client' ? 'oauth' : 'token-exchange'

/** Where to ask for a token, and the ways to do so in their order. No scope is sent: it has those of the client. */
function waysOf(files: CredentialFiles, { id, secret }: Proof) {
  if (files.type === 'workload-identity')
    return {
      action: 'exchanging the token of the service account',
      path: '/oauth/token-exchange',
      ways: [{ form: { client_id: id, jwt: secret }, basic: undefined }],
    }
  const grant = { grant_type: 'client_credentials' }
  // RFC 6749 §2.3.1
  const basic = Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')
  return {
    action: 'getting a token for the OAuth client',
    path: '/oauth/token',
    ways: [
      { form: grant, basic },
      { form: { ...grant, client_id: id, client_secret: secret }, basic: undefined },
    ],
  }
}

/** Asks for a token in each way, until one is not refused. Rejects with ApiError. */
export async function askToken(
  { origin, prefix }: Base,
  files: CredentialFiles,
  proof: Proof,
  clock: Clock,
): Promise<Granted> {
  const { action, path, ways } = waysOf(files, proof)
  const hidden = [proof.secret, encodeURIComponent(proof.secret)]
  const wording = dialect(() => clock.date().getTime(), files)
  let error: unknown
  for (const { form, basic } of ways) {
    const credentials = basic === undefined ? { headers: userAgent, hidden, tls: {} } : authorizedBy('Basic', basic)
    const account: Account = { credentials: () => credentials }
    const body = { type: 'application/x-www-form-urlencoded', text: new URLSearchParams(form).toString() }
    const request = {
      action,
      feature: tokenFeatureOf(files),
      method: 'POST',
      path: `${prefix}/api/v2${path}`,
      body,
      hidden,
    } as const
    try {
      return await transport({ url: origin }, account, tokenMs, wording).call(
        request,
        parseToken,
        new AbortController().signal,
      )
    } catch (cause) {
      error = cause
      if (!(cause instanceof ApiError && cause.problem === 'credentials')) break
    }
  }
  throw error
}
