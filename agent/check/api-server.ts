import { declareFindings } from '../../lib/declared-finding.ts'
import { KubeError } from '../../kube/error.ts'
import { checkAccess } from '../state-secret/access.ts'
import type { Look } from './looking.ts'

export const apiServer = declareFindings('api-server', {
  ok: {
    level: 'ok',
    text: '{what}',
    meaning: 'The API server answers, and grants what the state needs; or the state is not in a Secret.',
  },
  unreachable: {
    level: 'error',
    text: '{problem}',
    meaning: 'The API server was called as the agent does it, with the service account of the Pod.',
  },
  rights: {
    level: 'error',
    text: '{problem}',
    meaning:
      'The API server was asked what the service account may do (SelfSubjectAccessReview), and for the Secret; or the files of the service account cannot be used.',
  },
  missing: {
    level: 'error',
    text: 'the state Secret "{name}" does not exist, and the service account may not create it',
    remedy: 'Create it empty, or grant the verb create on secrets.',
    meaning: 'Looked for in the namespace of the Pod.',
  },
  noPatch: {
    level: 'warning',
    text: 'the service account may not patch the state Secret "{name}", so that the agent writes nothing of its own there',
    remedy: 'Grant patch on it: operators learn from there which services the replica forwards.',
    meaning: 'tailscaled needs get and update; the agent needs patch.',
  },
})

export const lookAtApiServer: Look = async ({ settings, signal }) => {
  const { state, inKubernetes, cluster } = settings
  if (state.kind !== 'secret') return [apiServer.ok({ what: 'the state is not in a Secret: the API is not needed' })]
  if (!inKubernetes) return [apiServer.ok({ what: 'this is not a Pod: the API is called by tailscaled only' })]
  const { name } = state
  try {
    // Imported on demand, like all that asks the Kubernetes API.
    const { kubeClient } = await import('../../kube/client.ts')
    const kube = kubeClient(cluster)
    const access = await checkAccess(kube, name, signal)
    const secret = await kube.getSecret(name, signal)
    if (secret === undefined && !access.create) return [apiServer.missing({ name })]
    if (!access.patch) return [apiServer.noPatch({ name })]
    return [apiServer.ok({ what: `it answers, and grants what is needed on the Secret "${name}"` })]
  } catch (problem) {
    const isAway = problem instanceof KubeError && problem.retryable
    return [isAway ? apiServer.unreachable({ problem }) : apiServer.rights({ problem })]
  }
}
