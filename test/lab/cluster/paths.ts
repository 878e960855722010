import { join } from 'node:path'
import { pathsOf } from '../namespaces/record.ts'

/** The paths of a cluster's files: `file` is in a directory that both sides see, etcd's data is in the bed's memory. */
export function clusterPaths(bed: string) {
  const { top, files, logs } = pathsOf(bed)
  const directory = join(top, 'cluster')
  return {
    directory,
    logs,
    file: (name: string): string => join(directory, name),
    kubeconfig: (user: string): string => join(directory, `${user}.kubeconfig`),
    // No host can have this name.
    etcd: join(files, '.etcd'),
  } as const
}

/** The files of a node's daemons, as named inside. */
export const nodeFiles = {
  ca: '/etc/kubernetes/ca.crt',
  kubelet: '/etc/kubernetes/kubelet.json',
  kubeletUser: '/etc/kubernetes/kubelet.kubeconfig',
  proxy: '/etc/kubernetes/kube-proxy.json',
  proxyUser: '/etc/kubernetes/kube-proxy.kubeconfig',
  containerd: '/etc/kubernetes/containerd.toml',
  networks: '/etc/kubernetes/cni',
  network: '/etc/kubernetes/cni/lab.conflist',
} as const

/** The socket of containerd, as named inside its node. */
export const containerdSocket = '/run/containerd/containerd.sock'
