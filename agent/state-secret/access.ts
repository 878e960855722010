import { CulvertError } from '../../lib/errors.ts'
import type { KubeClient } from '../../kube/client.ts'
import { KubeError } from '../../kube/error.ts'
import type { Access } from '../world/world.ts'

/**
 * Asks the API what this service account may do. If the review itself is refused,
 * mandatory rights count as granted and optional ones as not.
 * @throws CulvertError `privilege` naming each missing mandatory verb; KubeError when the API does not answer.
 */
export async function checkAccess(kube: KubeClient, name: string, signal: AbortSignal): Promise<Access> {
  const allowed = async (verb: 'get' | 'update' | 'patch' | 'create', otherwise: boolean): Promise<boolean> => {
    try {
      return await kube.review(verb, name, signal)
    } catch (error) {
      if (error instanceof KubeError && !error.retryable) return otherwise
      throw error
    }
  }
  const [get, update, patch, create] = await Promise.all([
    allowed('get', true),
    allowed('update', true),
    allowed('patch', false),
    allowed('create', false),
  ])
  const missing = [...(get ? [] : ['get']), ...(update ? [] : ['update'])]
  if (missing.length > 0) {
    throw new CulvertError(
      'privilege',
      `the service account may not ${missing.join(' and ')} the state Secret "${name}"`,
      {
        remedy:
          'Grant it get, update and patch on that Secret: tailscaled keeps the node’s identity there. ' +
          'Or set TS_KUBE_SECRET to an empty value, and the state is in TS_STATE_DIR.',
      },
    )
  }
  return { patch, create }
}
