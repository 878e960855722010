import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Bed } from '../../lab/bed.ts'
import { authorityObjects } from '../../lab/cluster/ingress.ts'
import type { KubeObject } from '../../lab/cluster/kubectl.ts'
import { proxyNamespace } from '../../lab/cluster/proxy.ts'
import { buildImage, buildOperatorImage, type Image } from '../../lab/images/image.ts'
import { controlUrl } from '../../lab/namespaces/addresses.ts'
import { projectRoot } from '../../lab/paths.ts'

/** The images of a cluster with the operator. */
export type Images = { readonly operator: Image; readonly agent: Image }

export const buildImages = async (note?: (detail: string) => void): Promise<Images> => ({
  agent: await buildImage(note),
  operator: await buildOperatorImage(note),
})

/**
 * Installs the operator in a bed's cluster as docs/operator.md says, for the bed's tailnet. Returns once it is ready.
 * `texts`: further replacements in the manifest.
 */
export async function installOperator(
  { cluster, control }: Bed,
  images: Images,
  texts: Readonly<Record<string, string>> = {},
): Promise<void> {
  await Promise.all(Object.values(images).map(({ archive }) => cluster.importImage(archive)))
  const input = await manifest({
    'culvert/operator:0.1.0': images.operator.reference,
    'culvert/agent:0.1.0': images.agent.reference,
    '# - name: OPERATOR_LOGIN_SERVER': '- name: OPERATOR_LOGIN_SERVER',
    '#   value: https://headscale.example.com': `  value: ${controlUrl}`,
    ...texts,
  })
  const crds = `--filename=${join(projectRoot, 'operator/crds')}`
  await cluster.kubectl(['apply', '--server-side', '--validate=strict', crds, '--filename=-'], { input })
  const { id, secret } = await control.createApiClient()
  const literals = [`--from-literal=client_id=${id}`, `--from-literal=client_secret=${secret}`]
  const where = `--namespace=${proxyNamespace}`
  await cluster.kubectl(['create', 'secret', 'generic', 'operator-oauth', where, ...literals])
  await cluster.wait('deployment/operator', 'Available', { namespace: proxyNamespace })
}

/** The manifest of the operator with other texts. Throws if it lacks one of them. */
async function manifest(texts: Readonly<Record<string, string>>): Promise<string> {
  let text = await readFile(join(projectRoot, 'docs/examples/operator.yaml'), 'utf8')
  for (const [from, to] of Object.entries(texts)) {
    if (!text.includes(from)) throw new Error(`the manifest does not have ${JSON.stringify(from)}`)
    text = text.replaceAll(from, to)
  }
  return text
}

/** A ProxyClass whose proxies get certificates from the bed's authority, and what it needs. */
export async function authorityClass(bed: Bed, name: string): Promise<KubeObject[]> {
  const { objects, env, mounts } = authorityObjects(await bed.acme.trust())
  const container = {
    name: 'tailscale',
    env: Object.entries(env).map(([variable, value]) => ({ name: variable, value })),
    volumeMounts: mounts.map(({ volume, mountPath }) => ({ name: volume.name, mountPath, readOnly: true })),
  }
  const template = { spec: { containers: [container], volumes: mounts.map(({ volume }) => volume) } }
  const spec = { statefulSet: { template } }
  return [...objects, { apiVersion: 'tailscale.com/v1alpha1', kind: 'ProxyClass', metadata: { name }, spec }]
}
