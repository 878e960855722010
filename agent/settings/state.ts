import type { InCluster } from '../../kube/service-account.ts'
import { type Environment, type EnvReader, envReader } from './env-reader.ts'
import type { State } from './settings.ts'

/** Kubelet sets this variable in every container. */
export const isInKubernetes = ({ text }: EnvReader): boolean => text('KUBERNETES_SERVICE_HOST') !== ''

/** Where the Kubernetes API is. */
export function readCluster({ text }: EnvReader): InCluster {
  const root = text('TS_TEST_ONLY_ROOT')
  return {
    root,
    host: text('KUBERNETES_SERVICE_HOST'),
    port: text('KUBERNETES_SERVICE_PORT_HTTPS'),
    addressFromEnv: root !== '' || text('TS_KUBERNETES_READ_API_SERVER_ADDRESS_FROM_ENV') === 'true',
  }
}

/** From which Secret the config files are to be written, and where; undefined if they are mounted. */
export function readConfigSecret(environment: Environment) {
  const env = envReader(environment)
  const [name, directory] = [env.text('CULVERT_CONFIG_SECRET'), env.text('TS_EXPERIMENTAL_VERSIONED_CONFIG_DIR')]
  return name === '' || directory === '' ? undefined : { name, directory, cluster: readCluster(env) }
}

/**
 * Where tailscaled keeps its state: a state Secret has precedence over a directory, a directory over memory.
 */
export function readState(env: EnvReader): State {
  const directory = env.text('TS_STATE_DIR')
  const name = env.raw('TS_KUBE_SECRET') ?? (isInKubernetes(env) ? 'tailscale' : '')
  if (name !== '') return { kind: 'secret', name, directory: directory || '/tmp' }
  return directory === '' ? { kind: 'memory' } : { kind: 'disk', directory }
}

/** Warns if the environment names two places for the node’s identity, and says which one is used. */
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
