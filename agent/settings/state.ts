import type { Given } from './given.ts'
import type { State } from './settings.ts'

/** Kubelet sets this variable in every container (agent.md §1). */
export const isInKubernetes = ({ text }: Given): boolean => text('KUBERNETES_SERVICE_HOST') !== ''

/** Where tailscaled keeps its state: a state Secret comes before a directory, a directory before memory (agent.md §2). */
export function readState(given: Given): State {
  const directory = given.text('TS_STATE_DIR')
  const name = given.raw('TS_KUBE_SECRET') ?? (isInKubernetes(given) ? 'tailscale' : '')
  if (name !== '') return { kind: 'secret', name, directory: directory || '/tmp' }
  return directory === '' ? { kind: 'memory' } : { kind: 'disk', directory }
}
