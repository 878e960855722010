import { expect } from 'vitest'
import { serviceAddresses } from '../e2e/cluster.ts'
import { startBed, type Bed } from '../lab/bed.ts'
import { backendObjects } from '../lab/cluster/proxy.ts'
import { buildLimit } from '../lab/images/buildah.ts'
import { agentReference } from '../lab/images/image.ts'
import { projectRoot } from '../lab/paths.ts'
import { run } from '../lab/run.ts'
import { example, type Choices } from './manifest.ts'

const hosts = { client: { network: 'wan', tailscaled: { up: ['--accept-routes'] } } } as const

export type ExamplesBed = {
  readonly bed: Bed<'client'>
  readonly backend: { readonly v4: string; readonly v6: string }
}

/** Starts a cluster with the agent's image, and the Service `backend` with one Pod. */
export async function startExamplesBed(): Promise<ExamplesBed> {
  const bed = await startBed({ hosts, cluster: {} })
  const { cluster } = bed
  const lab = [process.execPath, `${projectRoot}/test/lab/main.ts`]
  await Promise.all([
    run([...lab, 'image', '--name', bed.name], { timeout: buildLimit }),
    cluster.apply(...backendObjects('backend')),
  ])
  await cluster.wait('pod/backend', 'Ready')
  return { bed, backend: await serviceAddresses(cluster, 'backend') }
}

/** What tests do with examples in the bed that is up when they run. */
export const examplesIn = (bed: () => Bed) => ({
  /** Applies an example; the API server must know every field of it. Kubelet looks often whether its Pods are ready. */
  apply: async (name: string, choices: Partial<Choices> = {}): Promise<void> => {
    const input = await example(name, { image: agentReference, authKey: await bed().authKey(), ...choices })
    const often = input.replaceAll(/periodSeconds: (?:5|10)$/gm, 'periodSeconds: 2')
    await bed().cluster.kubectl(['apply', '--validate=strict', '--filename=-'], { input: often })
  },

  /** What a command in the agent's container prints. */
  inside: async (namespace: string, pod: string, ...command: string[]): Promise<string> => {
    const where = [pod, `--namespace=${namespace}`, '--container=tailscale']
    return (await bed().cluster.kubectl(['exec', ...where, '--', ...command])).stdout
  },

  /** The agent has logged neither a warning nor an error. */
  quiet: async (namespace: string, pod: string): Promise<void> => {
    const log = await bed().cluster.kubectl(['logs', pod, `--namespace=${namespace}`, '--container=tailscale'])
    expect(log.stdout.match(/^boot: .*(?:warning|error).*$/gm)).toBeNull()
  },

  /** Pods that keep running, with their probes, would take CPU time from the tests that follow. */
  clear: async (...namespaces: readonly string[]): Promise<void> => {
    const all = ['delete', 'statefulsets,deployments,pods', '--all', '--ignore-not-found', '--wait=false']
    for (const namespace of namespaces) await bed().cluster.kubectl([...all, `--namespace=${namespace}`])
  },
})
