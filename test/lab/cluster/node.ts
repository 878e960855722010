import { join } from 'node:path'
import type { Programs } from '../ready.ts'
import { type Addresses, controlPlaneAddress, nodeName } from './addresses.ts'
import type { Plan } from './component.ts'
import { pauseImage } from './images.ts'
import { containerdSocket, nodeFiles } from './paths.ts'

/** The daemons of the `n`-th node. */
export function nodePlans(n: number, programs: Programs<'cluster'>, addresses: Addresses): Plan[] {
  const name = nodeName(n)
  return [
    {
      name: `${name}.containerd`,
      node: n,
      argv: ['containerd', `--config=${nodeFiles.containerd}`],
      socket: containerdSocket,
    },
    {
      name: `${name}.kubelet`,
      node: n,
      argv: [
        join(programs.kubelet, 'kubelet'),
        `--config=${nodeFiles.kubelet}`,
        `--kubeconfig=${nodeFiles.kubeletUser}`,
        `--hostname-override=${name}`,
        `--node-ip=${addresses.only(addresses.node(n)).join(',')}`,
      ],
      url: 'http://127.0.0.1:10248/healthz',
    },
    {
      name: `${name}.kube-proxy`,
      node: n,
      argv: [join(programs['kube-proxy'], 'kube-proxy'), `--config=${nodeFiles.proxy}`],
      url: 'http://127.0.0.1:10256/healthz',
    },
  ]
}

type NodeSettings = {
  /** The path of its control groups. */
  readonly groups: string
  readonly plugins: string
  readonly syncFrequency: string | undefined
  readonly addresses: Addresses
}

/** The settings of the daemons of the `n`-th node, by path inside. */
export function nodeSettings(n: number, settings: NodeSettings): Record<string, string> {
  return {
    [nodeFiles.containerd]: containerd(settings.plugins),
    [nodeFiles.network]: JSON.stringify(network(n, settings.addresses)),
    [nodeFiles.kubelet]: JSON.stringify(kubelet(settings)),
    [nodeFiles.proxy]: JSON.stringify(proxy(n, settings.addresses)),
  }
}

function containerd(plugins: string): string {
  return `version = 2
[grpc]
  address = "${containerdSocket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  # Without CAP_SYS_RESOURCE no process may be made less likely to be ended than this one.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${plugins}"
    conf_dir = "${nodeFiles.networks}"
`
}

/** Each Pod is connected to its node by a veth pair, and the node routes: no bridge lets packets bypass the rules. */
function network(n: number, addresses: Addresses): unknown {
  const ipam = {
    type: 'host-local',
    ranges: addresses.only(addresses.podRange(n)).map((subnet) => [{ subnet }]),
    routes: addresses.only({ v4: '0.0.0.0/0', v6: '::/0' }).map((dst) => ({ dst })),
  }
  return {
    cniVersion: '1.0.0',
    name: 'lab',
    plugins: [
      { type: 'settle' },
      { type: 'ptp', ipMasq: false, ipam },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  }
}

// With `1s`, mounted files are updated within a second or two.
function kubelet({ groups, syncFrequency = '1s', addresses }: NodeSettings): unknown {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    containerRuntimeEndpoint: `unix://${containerdSocket}`,
    authentication: { x509: { clientCAFile: nodeFiles.ca } },
    clusterDNS: addresses.only(controlPlaneAddress).slice(0, 1),
    clusterDomain: 'cluster.local',
    syncFrequency,
    configMapAndSecretChangeDetectionStrategy: 'Watch',
    cgroupDriver: 'cgroupfs',
    cgroupRoot: groups,
    enforceNodeAllocatable: [],
    failCgroupV1: false,
    failSwapOn: false,
    oomScoreAdj: 0,
    evictionHard: { 'nodefs.available': '1%', 'imagefs.available': '1%', 'memory.available': '50Mi' },
    imageGCHighThresholdPercent: 100,
    containerLogMaxSize: '1Mi',
    maxPods: 200,
  }
}

function proxy(n: number, addresses: Addresses): unknown {
  return {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    mode: 'nftables',
    hostnameOverride: nodeName(n),
    clientConnection: { kubeconfig: nodeFiles.proxyUser },
    clusterCIDR: addresses.only(addresses.pods).join(','),
    nftables: { minSyncPeriod: '100ms' },
    // These settings belong to the machine.
    conntrack: { maxPerCore: 0, min: 0 },
    oomScoreAdj: 0,
  }
}
