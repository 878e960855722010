import { acmeEnv } from '../acme/start.ts'
import { domain } from '../control-server.ts'
import { volumeOf } from './group.ts'
import { toolsImage } from './images.ts'
import type { KubeObject } from './kubectl.ts'
import { proxyNamespace, type Workload } from './proxy.ts'

/** A user's Ingress through a ProxyGroup: HTTPS under a name, to a Service of the cluster. */
export type IngressSpec = {
  /** The first label of its name, and the name of its Tailscale Service without `svc:`. */
  readonly name: string
  /** The Service behind it, in the namespace `default`. */
  readonly backend: { readonly name: string; readonly port: number }
}

export const serviceOf = ({ name }: Pick<IngressSpec, 'name'>): string => `svc:${name}`
export const fqdnOf = ({ name }: Pick<IngressSpec, 'name'>): string => `${name}.${domain}`

/** The text of `serve-config.json`; `clusterIp` is the address of the Service of each Ingress. */
export function serveConfigText(all: readonly (IngressSpec & { readonly clusterIp: string })[]): string {
  const services = all.map((spec) => {
    const proxy = { Proxy: `http://${spec.clusterIp}:${spec.backend.port}/` }
    const web = { [`${fqdnOf(spec)}:443`]: { Handlers: { '/': proxy } } }
    return [serviceOf(spec), { TCP: { 443: { HTTPS: true } }, Web: web }] as const
  })
  return JSON.stringify({ Services: Object.fromEntries(services) })
}

/** A TLS Secret for a name's certificate, empty at first, and the permission of all the group's replicas to use it. */
export function tlsObjects(group: string, spec: Pick<IngressSpec, 'name'>): KubeObject[] {
  const name = fqdnOf(spec)
  const labels = {
    'tailscale.com/managed': 'true',
    'tailscale.com/proxy-group': group,
    'tailscale.com/domain': name,
    'tailscale.com/parent-resource-type': 'ingress',
    'tailscale.com/parent-resource': spec.name,
    'tailscale.com/parent-resource-ns': 'default',
  }
  const metadata = { name, namespace: proxyNamespace, labels }
  const rbac = 'rbac.authorization.k8s.io'
  return [
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { ...metadata, labels: { ...labels, 'tailscale.com/secret-type': 'certs' } },
      type: 'kubernetes.io/tls',
      data: { 'tls.crt': '', 'tls.key': '' },
    },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'Role',
      metadata,
      rules: [
        { apiGroups: [''], resources: ['secrets'], resourceNames: [name], verbs: ['get', 'list', 'patch', 'update'] },
      ],
    },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup: rbac, kind: 'Role', name },
      subjects: [{ kind: 'ServiceAccount', name: group, namespace: proxyNamespace }],
    },
  ]
}

/** What proxies need to get certificates from a bed's authority: `trust` as the authority's client returns it. */
export function authorityObjects(trust: string): {
  readonly objects: readonly KubeObject[]
  readonly env: Readonly<Record<string, string>>
  readonly mounts: NonNullable<Workload['mounts']>
} {
  const name = 'lab-ca'
  const data = { 'ca.pem': trust }
  return {
    objects: [{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: proxyNamespace }, data }],
    env: { ...acmeEnv, SSL_CERT_FILE: `/etc/${name}/ca.pem` },
    mounts: [{ volume: volumeOf(name), mountPath: `/etc/${name}` }],
  }
}

/** A site of this name that answers every GET of `/` as the echo server would, on port 80 of its Service. */
export function siteObjects(name: string, namespace = 'default'): KubeObject[] {
  const labels = { app: name }
  const metadata = { name, namespace }
  const echo = { host: name, peer: '', peerPort: 0, data: '' }
  return [
    { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { 'index.html': JSON.stringify(echo) } },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { selector: labels, ipFamilyPolicy: 'PreferDualStack', ports: [{ port: 80, targetPort: 8080 }] },
    },
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...metadata, labels },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [
          {
            name: 'httpd',
            image: toolsImage,
            command: ['httpd', '-f', '-p', '8080', '-h', '/www'],
            volumeMounts: [{ name: 'www', mountPath: '/www' }],
          },
        ],
        volumes: [{ name: 'www', configMap: { name } }],
      },
    },
  ]
}
