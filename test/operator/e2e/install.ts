import type { Bed } from '../../lab/bed.ts'
import { authorityObjects } from '../../lab/cluster/ingress.ts'
import type { KubeObject } from '../../lab/cluster/kubectl.ts'
import { proxyNamespace } from '../../lab/cluster/proxy.ts'
import { buildImage, buildOperatorImage, type Image } from '../../lab/images/image.ts'
import { render } from '../../chart/render.ts'
import { chart } from '../../lab/helm.ts'
import { controlUrl } from '../../lab/namespaces/addresses.ts'

/** The images of a cluster with the operator. */
export type Images = { readonly operator: Image; readonly agent: Image }

export const buildImages = async (note?: (detail: string) => void): Promise<Images> => ({
  agent: await buildImage(note),
  operator: await buildOperatorImage(note),
})

/** Installs the operator by its chart in a bed's cluster, for the bed's tailnet. Returns once it is ready. */
export async function installOperator({ cluster, control }: Bed, images: Images): Promise<void> {
  await Promise.all(Object.values(images).map(({ archive }) => cluster.importImage(archive)))
  const { id: clientId, secret: clientSecret } = await control.createApiClient()
  const values = {
    oauth: { clientId, clientSecret },
    loginServer: controlUrl,
    operatorConfig: { image: imageOf(images.operator) },
    proxyConfig: { image: imageOf(images.agent) },
  }
  const how = ['--create-namespace', '--wait', '--values=-']
  await cluster.helm(['install', 'operator', chart, `--namespace=${proxyNamespace}`, ...how], {
    input: JSON.stringify(values),
  })
}

const imageOf = ({ reference }: Image) => {
  const [repository, tag] = reference.split(/:(?=[^:]*$)/)
  return { repository, tag }
}

/** The account of API server proxies that impersonate, and its right, by the command of docs/operator-apiserver.md. */
export const authAccount = (): Promise<KubeObject[]> =>
  render('--set-string=apiServerProxyConfig.mode=true', '--show-only=templates/apiserver.yaml')

/** Has the Pods of a StatefulSet get certificates from the bed's authority, which a ProxyClass cannot say of all. */
export async function trustAuthority(bed: Bed, name: string): Promise<void> {
  await bed.cluster.waitFor(`statefulset/${name}`, 'create', { namespace: proxyNamespace })
  const [{ spec }] = (await authorityClass(bed, name)).slice(-1) as [KubeObject & { spec: { statefulSet: object } }]
  const metadata = { name, namespace: proxyNamespace }
  const set = { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata, spec: spec.statefulSet }
  // As somebody beside the operator, whose fields stay as they are.
  const how = ['apply', '--server-side', '--field-manager=lab', '--filename=-']
  await bed.cluster.kubectl(how, { input: JSON.stringify(set) })
}

/** A ProxyClass whose proxies get certificates from the bed's authority and have `more` variables, and what it needs. */
export async function authorityClass(
  bed: Bed,
  name: string,
  more: Readonly<Record<string, string>> = {},
): Promise<KubeObject[]> {
  const { objects, env, mounts } = authorityObjects(await bed.acme.trust())
  const container = {
    name: 'tailscale',
    env: Object.entries({ ...env, ...more }).map(([variable, value]) => ({ name: variable, value })),
    volumeMounts: mounts.map(({ volume, mountPath }) => ({ name: volume.name, mountPath, readOnly: true })),
  }
  const template = { spec: { containers: [container], volumes: mounts.map(({ volume }) => volume) } }
  const spec = { statefulSet: { template } }
  return [...objects, { apiVersion: 'tailscale.com/v1alpha1', kind: 'ProxyClass', metadata: { name }, spec }]
}
