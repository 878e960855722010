import type { EnvReader } from './env-reader.ts'
import type { State } from './settings.ts'

/** Kubelet sets this variable in every container. */
export const isInKubernetes = ({ text }: EnvReader): boolean => text('KUBERNETES_SERVICE_HOST') !== ''

/**
 * Where tailscaled keeps its state: a state Secret has precedence over a directory, a directory over memory.
 */
export function readState(env: EnvReader): State {
  const directory = env.text('TS_STATE_DIR')
  const name = env.raw('TS_KUBE_SECRET') ?? (isInKubernetes(env) ? 'tailscale' : '')
  if (name !== '') return { kind: 'secret', name, directory: directory || '/tmp' }
  return directory === '' ? { kind: 'memory' } : { kind: 'disk', directory }
}
