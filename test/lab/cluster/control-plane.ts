import { join } from 'node:path'
import { gateway } from '../namespaces/addresses.ts'
import type { PartName } from '../parts/table.ts'
import type { Programs } from '../ready.ts'
import { type Addresses, apiPort, apiUrl, controlPlaneAddress } from './addresses.ts'
import { auditOptions } from './audit.ts'
import type { Plan } from './component.ts'
import type { clusterPaths } from './paths.ts'

const etcd = 'http://127.0.0.1:2379'

/** etcd and the API server, and with nodes the controllers and the scheduler. */
export function controlPlane(
  paths: ReturnType<typeof clusterPaths>,
  programs: Programs<'cluster'>,
  nodes: number,
  addresses: Addresses,
): Plan[] {
  const plan = (name: PartName<'cluster'>, url: string, ...args: string[]): Plan => ({
    name,
    argv: [join(programs[name], name), ...args],
    url,
  })
  const { file, kubeconfig } = paths
  const alone = [
    plan(
      'etcd',
      `${etcd}/readyz`,
      `--data-dir=${paths.etcd}`,
      `--listen-client-urls=${etcd}`,
      `--advertise-client-urls=${etcd}`,
      '--listen-peer-urls=http://127.0.0.1:2380',
      '--unsafe-no-fsync',
      '--log-level=warn',
    ),
    plan(
      'kube-apiserver',
      `${apiUrl.v4}/readyz`,
      `--etcd-servers=${etcd}`,
      '--bind-address=::',
      `--secure-port=${apiPort}`,
      `--advertise-address=${addresses.only(controlPlaneAddress)[0]}`,
      '--endpoint-reconciler-type=lease',
      `--tls-cert-file=${file('apiserver.crt')}`,
      `--tls-private-key-file=${file('apiserver.key')}`,
      `--kubelet-client-certificate=${file('kubelet-client.crt')}`,
      `--kubelet-client-key=${file('kubelet-client.key')}`,
      '--kubelet-preferred-address-types=InternalIP',
      `--service-cluster-ip-range=${addresses.only(addresses.services).join(',')}`,
      `--token-auth-file=${file('tokens.csv')}`,
      '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
      `--service-account-key-file=${file('accounts.key')}`,
      `--service-account-signing-key-file=${file('accounts.key')}`,
      '--authorization-mode=Node,RBAC',
      '--enable-admission-plugins=NodeRestriction',
      // It has no route to the Services' own addresses.
      '--enable-aggregator-routing',
      '--allow-privileged',
      ...auditOptions(file('audit-policy.json'), file('audit.log')),
      '--profiling=false',
    ),
  ]
  if (nodes === 0) return alone
  return [
    ...alone,
    plan(
      'kube-controller-manager',
      'https://127.0.0.1:10257/healthz',
      `--kubeconfig=${kubeconfig('kube-controller-manager')}`,
      `--root-ca-file=${file('ca.crt')}`,
      `--service-account-private-key-file=${file('accounts.key')}`,
      '--leader-elect=false',
      '--profiling=false',
    ),
    plan(
      'kube-scheduler',
      'https://127.0.0.1:10259/healthz',
      `--kubeconfig=${kubeconfig('kube-scheduler')}`,
      '--leader-elect=false',
      '--profiling=false',
    ),
    plan('coredns', `http://${controlPlaneAddress.v4}:8181/ready`, `-conf=${file('Corefile')}`),
  ]
}

/** CoreDNS answers for the cluster's names and asks the bed's name server for all others. */
export function corefile(paths: ReturnType<typeof clusterPaths>): string {
  return `.:53 {
  bind ${controlPlaneAddress.v4} ${controlPlaneAddress.v6}
  errors
  ready ${controlPlaneAddress.v4}:8181
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    kubeconfig ${paths.kubeconfig('coredns')} lab
    pods insecure
    ttl 1
    fallthrough in-addr.arpa ip6.arpa
  }
  forward . ${gateway('wan').v4}
  cache 1
}
`
}
