import type { TlsSecret } from '../../certs/inspect.ts'
import { type Problem, problem } from '../../certs/problem.ts'
import type { KubeClient } from '../../kube/client.ts'
import { KubeError } from '../../kube/error.ts'
import { describe } from '../../lib/errors.ts'

/** The Secret in which tailscaled shares the certificate of a name; it has the name as its own. */
export async function readTlsSecret(
  kube: Pick<KubeClient, 'getSecret' | 'namespace'>,
  domain: string,
  signal: AbortSignal,
): Promise<TlsSecret | Problem> {
  try {
    const secret = await kube.getSecret(domain, signal)
    if (secret !== undefined) return { certificate: secret.data.get('tls.crt'), key: secret.data.get('tls.key') }
    return problem(
      'secret-missing',
      `there is no Secret "${domain}" in namespace "${kube.namespace}" for its certificate`,
    )
  } catch (error) {
    signal.throwIfAborted()
    const forbidden = error instanceof KubeError && error.status === 403
    return problem(
      forbidden ? 'secret-forbidden' : 'secret-unreadable',
      forbidden
        ? `the service account may not get Secret "${domain}", where its certificate is shared`
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
