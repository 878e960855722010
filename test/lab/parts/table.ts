import { debian, node } from '../images/bases.ts'
import { goProgram } from './go.ts'
import { images, networkPlugins } from './images.ts'
import { clientGo, control, coredns, etcd, helm, k8sOperator, kubernetes, versitygw } from './module.ts'
import type { Part } from './part.ts'
import { promtool } from './promtool.ts'
import { pythonPackages } from './python.ts'
import { releases } from './releases.ts'

const ofKubernetes = <Name extends string>(name: Name): Part<Name> =>
  goProgram({ name, module: kubernetes, package: `k8s.io/kubernetes/cmd/${name}` })

/**
 * Everything in beds that is built here, in groups, such as for every bed and for a cluster. A part is
 * built once for each set of its inputs.
 */
export const groups = {
  tailnet: [
    goProgram({ name: 'tailscaled', module: control, package: 'tailscale.com/cmd/tailscaled' }),
    goProgram({ name: 'tailscale', module: control, package: 'tailscale.com/cmd/tailscale' }),
    // Upstream's agent, to which ours is compared.
    goProgram({ name: 'containerboot', module: control, package: 'tailscale.com/cmd/containerboot' }),
    goProgram({ name: 'pebble', module: control, package: 'github.com/letsencrypt/pebble/v2/cmd/pebble' }),
    goProgram({ name: 'control', module: control, package: '.', ownSource: true }),
  ],
  cluster: [
    goProgram({ name: 'etcd', module: etcd, package: 'go.etcd.io/etcd/server/v3' }),
    ofKubernetes('kube-apiserver'),
    ofKubernetes('kube-controller-manager'),
    ofKubernetes('kube-scheduler'),
    ofKubernetes('kubelet'),
    ofKubernetes('kube-proxy'),
    ofKubernetes('kubectl'),
    goProgram({ name: 'coredns', module: coredns, package: 'github.com/coredns/coredns' }),
    goProgram({ name: 'helm', module: helm, package: 'helm.sh/helm/v4/cmd/helm' }),
    networkPlugins,
    images,
  ],
  image: [debian, node],
  monitoring: [promtool],
  // An S3 server that checks signatures.
  s3: [goProgram({ name: 'versitygw', module: versitygw, package: 'github.com/versity/versitygw/cmd/versitygw' })],
  // Other releases of tailscaled, and Tailscale's operator: only for `npm run test:long`.
  releases,
  // Clients of Kubernetes in other languages: only for `npm run test:long`.
  clients: [goProgram({ name: 'client-go', module: clientGo, package: '.', ownSource: true }), pythonPackages],
  // Tailscale's API server proxy: only for `npm run bench`.
  compared: [goProgram({ name: 'k8s-proxy', module: k8sOperator, package: 'tailscale.com/cmd/k8s-proxy' })],
  // Nothing but Debian packages.
  browser: [],
} as const

/** The groups that only `npm run test:long` needs. */
export const longGroups = ['releases', 'clients'] as const satisfies readonly Group[]

export type Group = keyof typeof groups

export type PartName<G extends Group = Group> = (typeof groups)[G][number]['name']
