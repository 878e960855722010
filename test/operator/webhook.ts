import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { Bed } from '../lab/bed.ts'
import type { KubeObject } from '../lab/cluster/kubectl.ts'
import { clusterPaths } from '../lab/cluster/paths.ts'
import { namespace } from './operator-process.ts'

export type Refused = {
  /** The resources whose creation is refused, in the namespace of the proxies. */
  readonly group: string
  readonly resource: string
  /** Labels that the objects must have. */
  readonly labels?: Readonly<Record<string, string>>
  readonly message: string
  /** Such an object, which is used to find out when the API server has heard of the webhook. */
  readonly example: KubeObject
}

/** Has an admission webhook refuse objects, beside the API server. Returns once it does. */
export async function refuse(
  { cluster, record }: Bed,
  { group, resource, labels = {}, message, example }: Refused,
): Promise<AsyncDisposable> {
  const { file } = clusterPaths(record.name)
  const tied = ['setpriv', '--pdeathsig', 'KILL', '--'] as const
  const program = join(import.meta.dirname, 'programs/refuse.ts')
  // The certificate of the API server is also valid for the loopback address.
  const files = [file('apiserver.key'), file('apiserver.crt')]
  const inside = [...cluster.argv.slice(0, -1), ...tied, process.execPath, program, ...files, message]
  const [command, ...args] = [...tied, ...inside]
  const server = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const [port] = (await once(server.stdout, 'data')) as [Buffer]
  const name = `refuse-${resource}.culvert.test`
  await cluster.apply({
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingWebhookConfiguration',
    metadata: { name },
    webhooks: [
      {
        name,
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
        clientConfig: {
          url: `https://127.0.0.1:${String(port).trim()}`,
          caBundle: Buffer.from(cluster.ca).toString('base64'),
        },
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
        objectSelector: { matchLabels: labels },
        rules: [{ apiGroups: [group], apiVersions: ['*'], resources: [resource], operations: ['CREATE'] }],
      },
    ],
  })
  const create = ['create', '--dry-run=server', `--namespace=${namespace}`, '--filename=-']
  const attempt = () => cluster.kubectl(create, { check: false, input: JSON.stringify(example) })
  await expect.poll(async () => (await attempt()).stderr).toContain(message)
  return {
    [Symbol.asyncDispose]: async () => {
      await cluster.kubectl(['delete', 'validatingwebhookconfiguration', name])
      server.kill()
    },
  }
}
