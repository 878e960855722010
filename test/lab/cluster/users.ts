import { nodeName } from './addresses.ts'

/** A user of the API server, with a token of its own. */
export type User = {
  /** The name of its kubeconfig. */
  readonly file: string
  readonly name: string
  readonly groups: readonly string[]
}

/** The users of a cluster: people, the control plane, and each node's daemons. */
export function usersOf(nodes: number): User[] {
  const ofNodes = Array.from({ length: nodes }, (_, index) => nodeName(index + 1)).flatMap((node) => [
    { file: `${node}.kubelet`, name: `system:node:${node}`, groups: ['system:nodes'] },
    { file: `${node}.kube-proxy`, name: 'system:kube-proxy', groups: [] },
  ])
  return [
    { file: 'admin', name: 'admin', groups: ['system:masters'] },
    { file: 'kube-controller-manager', name: 'system:kube-controller-manager', groups: ['system:masters'] },
    { file: 'kube-scheduler', name: 'system:kube-scheduler', groups: [] },
    { file: 'coredns', name: 'coredns', groups: ['system:masters'] },
    ...ofNodes,
  ]
}

/** The content of the API server's --token-auth-file: one line for each user. */
export function tokenFile(users: readonly (User & { readonly token: string })[]): string {
  return users.map(({ token, name, file, groups }) => `${token},${name},${file},"${groups.join(',')}"\n`).join('')
}

/** A kubeconfig of one user, as JSON. `ca` is the authority's certificate, PEM. */
export function kubeconfig(server: string, ca: string, user: string, token: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'lab', cluster: { server, 'certificate-authority-data': Buffer.from(ca).toString('base64') } }],
    users: [{ name: user, user: { token } }],
    contexts: [{ name: 'lab', context: { cluster: 'lab', user } }],
    'current-context': 'lab',
  })
}
