import { run } from '../run.ts'
import { type Addresses, controlPlaneAddress } from './addresses.ts'

const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'] as const

/** The names of the API server. */
const serving = ({ apiService }: Addresses): readonly string[] => [
  ...[
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    'kubernetes.default.svc.cluster.local',
    'localhost',
  ].map((name) => `DNS:${name}`),
  ...[apiService.v4, apiService.v6, controlPlaneAddress.v4, controlPlaneAddress.v6, '127.0.0.1', '::1'].map(
    (address) => `IP:${address}`,
  ),
]

/**
 * Makes the cluster's authority (`ca`), the API server's certificate (`apiserver`), its client certificate for kubelets
 * (`kubelet-client`), each a `.crt` and a `.key`, and the key that signs tokens of service accounts.
 */
export async function makeCertificates(file: (name: string) => string, addresses: Addresses): Promise<void> {
  const pair = (name: string): string[] => ['-keyout', file(`${name}.key`), '-out', file(`${name}.crt`)]
  await openssl(['req', '-x509', '-days', '30', ...key, ...pair('ca'), '-subj', '/CN=lab-cluster'])
  const issued = ['-CA', file('ca.crt'), '-CAkey', file('ca.key'), '-addext', 'basicConstraints=critical,CA:FALSE']
  const issue = (name: string, subject: string, ...extensions: string[]): Promise<void> => {
    const more = extensions.flatMap((extension) => ['-addext', extension])
    return openssl(['req', '-x509', '-days', '30', ...issued, ...key, ...pair(name), '-subj', subject, ...more])
  }
  await Promise.all([
    issue(
      'apiserver',
      '/CN=kube-apiserver',
      `subjectAltName=${serving(addresses).join(',')}`,
      'extendedKeyUsage=serverAuth',
    ),
    issue('kubelet-client', '/O=system:masters/CN=kube-apiserver', 'extendedKeyUsage=clientAuth'),
    openssl(['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', file('accounts.key')]),
  ])
}

async function openssl(args: readonly string[]): Promise<void> {
  await run(['openssl', ...args], { doing: "make the cluster's certificates" })
}
