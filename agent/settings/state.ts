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

/** Says where the node’s identity is when the environment names two places for it. */
export function stateWarnings(env: EnvReader): string[] {
  const directory = env.text('TS_STATE_DIR')
  const state = readState(env)
  if (state.kind !== 'secret' || directory === '') return []
  const why =
    env.raw('TS_KUBE_SECRET') === undefined ? ', which is used in Kubernetes unless TS_KUBE_SECRET is set' : ''
  return [
    `the node’s identity is in the state Secret "${state.name}"${why}: TS_STATE_DIR=${directory} holds only what else ` +
      'tailscaled stores. To keep the identity there, set TS_KUBE_SECRET to the empty text',
  ]
}
