import type { TlsSecret } from '../../certs/inspect.ts'
import { type Problem, problem } from '../../certs/problem.ts'
import type { KubeClient } from '../../kube/client.ts'
import { KubeError } from '../../kube/error.ts'
import { describe } from '../../lib/errors.ts'

/** The Secret in which tailscaled shares the certificate of a name; it has the name as its own. */
export const readTlsSecret = (kube: Kube, domain: string, signal: AbortSignal): Promise<TlsSecret | Problem> =>
  read(kube, { secret: domain, domain, certificate: 'tls.crt', key: 'tls.key' }, signal)

/** What tailscaled keeps of the certificate of a node's own name, in the Secret with its state. */
export const readOwn = (
  kube: Kube,
  secret: string,
  domain: string,
  signal: AbortSignal,
): Promise<TlsSecret | Problem> =>
  read(kube, { secret, domain, certificate: `${domain}.crt`, key: `${domain}.key` }, signal)

type Kube = Pick<KubeClient, 'getSecret' | 'namespace'>
type At = { readonly secret: string; readonly domain: string; readonly certificate: string; readonly key: string }

async function read(
  kube: Kube,
  { secret: name, domain, certificate, key }: At,
  signal: AbortSignal,
): Promise<TlsSecret | Problem> {
  try {
    const secret = await kube.getSecret(name, signal)
    if (secret !== undefined) return { certificate: secret.data.get(certificate), key: secret.data.get(key) }
    return problem(
      'secret-missing',
      `there is no Secret "${name}" in namespace "${kube.namespace}" for its certificate`,
    )
  } catch (error) {
    signal.throwIfAborted()
    const forbidden = error instanceof KubeError && error.status === 403
    return problem(
      forbidden ? 'secret-forbidden' : 'secret-unreadable',
      forbidden
        ? `the service account may not get Secret "${name}", where its certificate is shared`
        : `the certificate of ${domain} cannot be looked at: ${describe(error)}`,
    )
  }
}

/**
 * Why tailscaled cannot write there, by a review of its right to patch. If the review fails, the right counts as
 * granted.
 */
export async function refusesWrites(
  kube: Pick<KubeClient, 'review'>,
  domain: string,
  signal: AbortSignal,
): Promise<Problem | undefined> {
  const granted = await kube.review('patch', domain, signal).catch(() => true)
  signal.throwIfAborted()
  if (granted) return undefined
  return problem(
    'secret-forbidden',
    `the service account may not patch Secret "${domain}", where its certificate is shared`,
  )
}
